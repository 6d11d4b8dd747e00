package webhook

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// The bounds of what is kept of a body, in bytes, and of its depth.
const (
	maxName  = 64 // of a field; longer ones are none that is picked
	maxText  = 4 << 10
	maxDepth = 100
)

// scanner walks through one JSON text, of which it keeps no more than it is
// asked for. A decoder of encoding/json would keep each string whole, and take
// the last of two fields with the same name.
type scanner struct {
	r     *bufio.Reader
	depth int
	kept  []byte // the raw string that was read last
}

// pick reads an object and calls read to take the value of each field named;
// others are skipped. A field must not be there twice. A null is not there.
func (s *scanner) pick(names []string, read func(name string) error) (there bool, err error) {
	switch c, err := s.peek(); {
	case err != nil:
		return false, err
	case c == 'n':
		return false, s.word("null")
	case c != '{':
		return false, malformed("what has %q must be an object", names[0])
	}
	seen := make([]bool, len(names))
	return true, s.all('}', func() error {
		i, err := s.name(names)
		if err != nil {
			return err
		}
		if i < 0 {
			return s.skip()
		}
		if seen[i] {
			return malformed("%q is there twice", names[i])
		}
		seen[i] = true
		return read(names[i])
	})
}

// array calls read to take each element. A null has none.
func (s *scanner) array(read func() error) error {
	switch c, err := s.peek(); {
	case err != nil:
		return err
	case c == 'n':
		return s.word("null")
	case c != '[':
		return malformed("the changes must be an array")
	}
	return s.all(']', read)
}

// text takes a string. A null is empty.
func (s *scanner) text(name string) (text string, err error) {
	switch c, err := s.peek(); {
	case err != nil:
		return "", err
	case c == 'n':
		return "", s.word("null")
	case c != '"':
		return "", malformed("%q must be a string", name)
	}
	whole, err := s.str(maxText)
	if err == nil && !whole {
		err = malformed("%q is too long", name)
	}
	if err == nil {
		text, err = s.unquoted()
	}
	return text, err
}

// boolean takes true or false. A null is false.
func (s *scanner) boolean(name string) (bool, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == 't':
		return true, s.word("true")
	case c == 'f':
		return false, s.word("false")
	case c == 'n':
		return false, s.word("null")
	}
	return false, malformed("%q must be true or false", name)
}

// end makes sure that nothing is left.
func (s *scanner) end() error {
	switch _, err := s.peek(); {
	case err == nil:
		return malformed("something follows its end")
	case !errors.Is(err, errCut):
		return err
	}
	return nil
}

// skip takes a value of any kind.
func (s *scanner) skip() error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case c == '{':
		return s.all('}', func() error {
			if _, err := s.name(nil); err != nil {
				return err
			}
			return s.skip()
		})
	case c == '[':
		return s.all(']', s.skip)
	case c == '"':
		_, err = s.str(0)
		return err
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.number()
}

// all takes what is between the brackets, part by part.
func (s *scanner) all(closing byte, part func() error) error {
	if s.depth++; s.depth > maxDepth {
		return malformed("it is nested deeper than %d", maxDepth)
	}
	_, _ = s.r.Discard(1) // the opening one, which was seen
	c, err := s.peek()
	if err == nil && c == closing {
		s.depth--
		_, err = s.r.Discard(1)
		return err
	}
	for {
		if err := part(); err != nil {
			return err
		}
		switch c, err := s.next(); {
		case err != nil:
			return err
		case c == closing:
			s.depth--
			return nil
		case c != ',':
			return malformed("a comma or a bracket is missing")
		}
	}
}

// name takes the name of a field and its colon, and finds it among the names.
func (s *scanner) name(names []string) (int, error) {
	c, err := s.peek()
	if err != nil {
		return -1, err
	}
	if c != '"' {
		return -1, malformed("a field has no name")
	}
	whole, err := s.str(maxName)
	if err != nil {
		return -1, err
	}
	i := -1
	if whole && len(names) > 0 {
		name, err := s.unquoted()
		if err != nil {
			return -1, err
		}
		i = slices.Index(names, name)
	}
	if c, err = s.next(); err == nil && c != ':' {
		err = malformed("a colon is missing")
	}
	return i, err
}

// unquoted is the string that was read last.
func (s *scanner) unquoted() (text string, err error) {
	return text, json.Unmarshal(s.kept, &text)
}

// errCut says that the body ended too early.
var errCut = malformed("it is cut off")

// peek is the next byte that is no white space.
func (s *scanner) peek() (byte, error) {
	for {
		c, err := s.take()
		if err != nil {
			return 0, err
		}
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c, s.r.UnreadByte()
		}
	}
}

// next takes the next byte that is no white space.
func (s *scanner) next() (byte, error) {
	if _, err := s.peek(); err != nil {
		return 0, err
	}
	return s.take()
}

func (s *scanner) take() (byte, error) {
	c, err := s.r.ReadByte()
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return c, err
}
