package webhook

import (
	"errors"
	"io"
)

// str takes a string. Where it is at most limit bytes long as it is written, it
// is kept whole, with its quotes.
func (s *scanner) str(limit int) (whole bool, err error) {
	s.kept = s.kept[:0]
	length := 0
	take := func(n int) {
		if length += n; length <= limit+2 {
			part, _ := s.r.Peek(n)
			s.kept = append(s.kept, part...)
		}
		_, _ = s.r.Discard(n)
	}
	take(1) // the opening quote, which was seen
	for {
		n, err := s.plain()
		if err != nil {
			return false, err
		}
		take(n)
		c, err := s.ahead(1)
		switch {
		case err != nil:
			return false, err
		case c[0] == '"':
			take(1)
			return length <= limit+2, nil
		case c[0] == '\\':
			n, err := s.escape()
			if err != nil {
				return false, err
			}
			take(n)
		case c[0] < ' ':
			return false, malformed("a string has a control character")
		}
	}
}

// plain is how many bytes that mean themselves are at hand.
func (s *scanner) plain() (int, error) {
	if _, err := s.ahead(1); err != nil {
		return 0, err
	}
	part, _ := s.r.Peek(s.r.Buffered())
	for i, c := range part {
		if c == '"' || c == '\\' || c < ' ' {
			return i, nil
		}
	}
	return len(part), nil
}

// escape is the length of an escape.
func (s *scanner) escape() (int, error) {
	c, err := s.ahead(2)
	if err != nil {
		return 0, err
	}
	switch c[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
	default:
		return 0, malformed("a string has an unknown escape")
	}
	if c, err = s.ahead(6); err != nil {
		return 0, err
	}
	for _, digit := range c[2:] {
		switch {
		case '0' <= digit && digit <= '9', 'a' <= digit && digit <= 'f', 'A' <= digit && digit <= 'F':
		default:
			return 0, malformed("a string has an escape without four hex digits")
		}
	}
	return 6, nil
}

// ahead are the next bytes.
func (s *scanner) ahead(n int) ([]byte, error) {
	part, err := s.r.Peek(n)
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return part, err
}

// word takes what is known to be there in full.
func (s *scanner) word(word string) error {
	c, err := s.ahead(len(word))
	if err != nil {
		return err
	}
	if string(c) != word {
		return malformed("it has what is no value")
	}
	_, err = s.r.Discard(len(word))
	return err
}

// number takes a number.
func (s *scanner) number() error {
	if _, err := s.accept("-"); err != nil {
		return err
	}
	zero, err := s.accept("0")
	if err != nil {
		return err
	}
	if !zero {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if fraction, err := s.accept("."); err != nil {
		return err
	} else if fraction {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if exponent, err := s.accept("eE"); err != nil || !exponent {
		return err
	}
	if _, err := s.accept("+-"); err != nil {
		return err
	}
	return s.digits()
}

// digits takes at least one digit.
func (s *scanner) digits() error {
	for n := 0; ; n++ {
		digit, err := s.accept("0123456789")
		switch {
		case err != nil:
			return err
		case !digit && n == 0:
			return malformed("it has what is no value")
		case !digit:
			return nil
		}
	}
}

// accept takes the next byte where it is one of those.
func (s *scanner) accept(of string) (bool, error) {
	c, err := s.r.Peek(1)
	if errors.Is(err, io.EOF) {
		return false, nil // a number may be the end
	}
	if err != nil {
		return false, err
	}
	for i := range len(of) {
		if c[0] == of[i] {
			_, err = s.r.Discard(1)
			return true, err
		}
	}
	return false, nil
}
