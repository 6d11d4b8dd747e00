package runcall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// File is a file of the payload of a start.
type File struct {
	Name string // has no space and no line end
	Mode int    // its permissions
	Data []byte
}

// Append adds the file to a payload.
func (f File) Append(payload []byte) []byte {
	payload = fmt.Appendf(payload, "%o %d %s\n", f.Mode, len(f.Data), f.Name)
	return append(payload, f.Data...)
}

// ReadPayload returns the files of a payload by their names.
func ReadPayload(r io.Reader) (map[string][]byte, error) {
	files := map[string][]byte{}
	for in := bufio.NewReader(r); ; {
		if _, err := in.Peek(1); errors.Is(err, io.EOF) {
			return files, nil
		}
		var mode, size int
		var name string
		if _, err := fmt.Fscanf(in, "%o %d %s\n", &mode, &size, &name); err != nil {
			return nil, fmt.Errorf("read the payload: %w", err)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, fmt.Errorf("read %s of the payload: %w", name, err)
		}
		files[name] = data
	}
}
