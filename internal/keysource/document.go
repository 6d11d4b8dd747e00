package keysource

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// What a document can be at most.
const (
	MaxDocument = 256 << 10 // bytes
	MaxKeys     = 100       // lines that are neither empty nor a comment
)

// Document is what a .keys document says.
type Document struct {
	Keys    []validate.Key // each once, in their order
	Refused []Refused
}

// Refused is a line that is no key, or none that is taken.
type Refused struct {
	Line int    // 1 is the first
	Rule string // that it breaks; it never shows the line, which may be a private key
}

// Parse reads a document: an authorized_keys line for each key, without
// options, empty lines, and comments, which begin with "#". A line that is
// refused does not stand in the way of the others; what is no such document at
// all is an error.
func Parse(document []byte) (Document, error) {
	if len(document) > MaxDocument {
		return Document{}, errTooLarge()
	}
	document = bytes.TrimPrefix(document, []byte("\ufeff"))
	switch {
	case bytes.IndexByte(document, 0) >= 0:
		return Document{}, broken("must be text in UTF-8, neither compressed nor binary")
	case bytes.HasPrefix(bytes.TrimSpace(document), []byte("<")):
		return Document{}, errWebPage()
	}
	var doc Document
	lines, number := 0, 0
	for line := range bytes.Lines(document) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		if lines++; lines > MaxKeys {
			return Document{}, broken("must have at most %d keys", MaxKeys)
		}
		doc.add(number, string(line))
	}
	return doc, nil
}

func (d *Document) add(number int, line string) {
	key, err := validate.PublicKey("key", line)
	var refused *validate.Error
	if errors.As(err, &refused) {
		d.Refused = append(d.Refused, Refused{Line: number, Rule: refused.Rule})
		return
	}
	if !slices.ContainsFunc(d.Keys, func(k validate.Key) bool { return k.Fingerprint == key.Fingerprint }) {
		d.Keys = append(d.Keys, key)
	}
}

func errTooLarge() error { return broken("must have at most %d bytes", MaxDocument) }

func errWebPage() error {
	return broken("must be keys, one a line, and is a web page: perhaps one that asks to log in")
}

// broken says which rule a document breaks.
func broken(rule string, args ...any) error {
	return &validate.Error{Field: "document", Rule: fmt.Sprintf(rule, args...)}
}
