package memory

import (
	"bytes"
	"encoding/gob"

	"github.com/seed-797f2c2c/forge"
)

func encode(lines []forge.Line) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(lines)
	return b.Bytes(), err
}

func decode(c chunk) ([]forge.Line, error) {
	var lines []forge.Line
	err := gob.NewDecoder(bytes.NewReader(c.data)).Decode(&lines)
	return lines, err
}
