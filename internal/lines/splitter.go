// Package lines turns the raw output of a remote into lines that can be stored
// and shown. The remote is not trusted: whatever it prints, memory is bounded
// and a line is valid UTF-8 without NUL. Escape sequences are kept; whoever
// shows them to a terminal uses [Printable].
package lines

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// MaxLine is the longest line in bytes, without the CutMark.
const MaxLine = 64 << 10

// CutMark ends a line that was longer than MaxLine. What followed in that line
// is dropped.
const CutMark = " [cut at 64 KiB]"

// Line is one line of output.
type Line struct {
	Text string // valid UTF-8 without NUL and line end
	End  int64  // offset of the byte after the line and its end
}

// Splitter splits output into lines, however it is chunked. The zero value
// starts at offset 0.
//
// A line ends with "\n" or "\r\n". A carriage return elsewhere starts the line
// anew, as progress bars do: what stands after the last one is kept, which is
// about what a terminal shows in the end.
type Splitter struct {
	// Offset is where in the output the next Feed stands. It is set to resume
	// at the End of an earlier line, and read to learn how far feeding came.
	Offset int64
	// Mask is applied to the text of every line. cut says that the text was
	// cut, so that its end may be the beginning of something to be masked.
	// Defaults to no masking.
	Mask func(text string, cut bool) string

	held    []byte // the unfinished line, at most MaxLine
	cut     bool   // held lacks something
	restart bool   // the last byte was a carriage return
	pending bool   // there are bytes after the last line
}

// Feed gives the lines that p completes to emit, in order. The texts of one
// Feed share memory of the size of p; p itself is not kept.
func (s *Splitter) Feed(p []byte, emit func(Line)) {
	if s.pending {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.hold(p)
			s.Offset += int64(len(p))
			return
		}
		s.hold(p[:i])
		s.finish(i+1, emit)
		p = p[i+1:]
	}
	block := string(p[:bytes.LastIndexByte(p, '\n')+1])
	rest := p[len(block):]
	for whole := plain(block); len(block) > 0; {
		i := strings.IndexByte(block, '\n')
		line := block[:i]
		block = block[i+1:]
		if !whole {
			line = strings.TrimRight(line, "\r")
		}
		if whole || plain(line) {
			s.Offset += int64(i) + 1
			s.emit(line, false, emit)
		} else {
			s.hold([]byte(line))
			s.finish(i+1, emit)
		}
	}
	if len(rest) > 0 {
		s.hold(rest)
		s.Offset += int64(len(rest))
	}
}

// Close gives the unfinished line at the end of the output, if there is one.
func (s *Splitter) Close(emit func(Line)) {
	if s.pending {
		s.finish(0, emit)
	}
}

// plain reports whether text can be taken as it is. Three vectorised passes
// over a cached block cost less than one loop over its bytes.
func plain(text string) bool {
	return strings.IndexByte(text, 0) < 0 && strings.IndexByte(text, '\r') < 0 && utf8.ValidString(text)
}

// hold adds a part of a line, without its end, to the unfinished line.
func (s *Splitter) hold(p []byte) {
	s.pending = true
	text := bytes.TrimRight(p, "\r")
	if len(text) > 0 {
		last := bytes.LastIndexByte(text, '\r')
		if s.restart || last >= 0 {
			s.held, s.cut = s.held[:0], false
		}
		text = text[last+1:]
		if room := MaxLine - len(s.held); len(text) > room {
			text, s.cut = text[:room], true
		}
		s.held = append(s.held, text...)
		s.restart = false
	}
	if len(p) > 0 && p[len(p)-1] == '\r' {
		s.restart = true
	}
}

// finish gives the held line, which ends n bytes after Offset.
func (s *Splitter) finish(n int, emit func(Line)) {
	held, cut := s.held, s.cut
	if cut {
		held = trimPartialRune(held)
	}
	s.held, s.cut, s.restart, s.pending = s.held[:0], false, false, false
	s.Offset += int64(n)
	s.emit(Clean(string(held)), cut, emit)
}

// emit bounds and masks a text: cleaning may have made it longer.
func (s *Splitter) emit(text string, cut bool, emit func(Line)) {
	if len(text) > MaxLine {
		end := MaxLine
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text, cut = text[:end], true
	}
	if s.Mask != nil {
		text = s.Mask(text, cut)
	}
	if cut {
		text += CutMark
	}
	emit(Line{Text: text, End: s.Offset})
}

// trimPartialRune removes the beginning of a character that was cut.
func trimPartialRune(p []byte) []byte {
	for i := len(p) - 1; i >= 0 && i >= len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return p[:i]
			}
			break
		}
	}
	return p
}

// Clean makes a text valid UTF-8 without NUL. Each run of bytes that are
// neither becomes one U+FFFD.
func Clean(text string) string {
	const replacement = string(utf8.RuneError)
	return strings.ReplaceAll(strings.ToValidUTF8(text, replacement), "\x00", replacement)
}
