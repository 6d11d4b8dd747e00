// Package chunk packs lines of actions' logs for the stores.
package chunk

import (
	"fmt"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/logchunk"
)

// Encode packs lines into a chunk, with their times to the microsecond. It
// returns an error of class forge.ErrInvalid for lines that are too many, too
// large, or of a type that package forge does not know.
func Encode(lines []forge.Line) ([]byte, error) {
	packed := make([]logchunk.Line, len(lines))
	for i, l := range lines {
		t, err := pack(l.Type)
		if err != nil {
			return nil, err
		}
		packed[i] = logchunk.Line{Number: l.Number, Time: l.Time, Type: t, Text: l.Text}
	}
	data, err := logchunk.Encode(packed)
	if err != nil {
		return nil, &forge.Error{Class: forge.ErrInvalid, Field: "lines", Err: err}
	}
	return data, nil
}

// Check returns an error of class forge.ErrInvalid for a line of a type that
// package forge does not know.
func Check(line forge.Line) error {
	_, err := pack(line.Type)
	return err
}

// Decode unpacks a chunk. The texts of its lines share memory, and their times
// are UTC.
func Decode(data []byte) ([]forge.Line, error) {
	packed, err := logchunk.Decode(data)
	if err != nil {
		return nil, err
	}
	lines := make([]forge.Line, len(packed))
	for i, l := range packed {
		t, err := unpack(l.Type)
		if err != nil {
			return nil, err
		}
		lines[i] = forge.Line{Number: l.Number, Time: l.Time, Type: t, Text: l.Text}
	}
	return lines, nil
}

func pack(t forge.LineType) (byte, error) {
	switch t {
	case "":
		return 0, nil
	case forge.LineOutput:
		return 'o', nil
	case forge.LineError:
		return 'e', nil
	case forge.LineSystem:
		return 's', nil
	}
	return 0, &forge.Error{Class: forge.ErrInvalid, Field: "type", Rule: fmt.Sprintf("a line cannot be of the type %q", t)}
}

func unpack(b byte) (forge.LineType, error) {
	switch b {
	case 0:
		return "", nil
	case 'o':
		return forge.LineOutput, nil
	case 'e':
		return forge.LineError, nil
	case 's':
		return forge.LineSystem, nil
	}
	return "", fmt.Errorf("%w: no line is of the type %q", logchunk.ErrCorrupt, b)
}
