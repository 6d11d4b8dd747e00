// Package mask hides secrets in the lines that come back from a server.
package mask

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// Placeholder stands where a secret was.
const Placeholder = "[secret]"

// MinLength is the length in bytes below which a secret, or a line of one, is
// not masked: it would hit ordinary text, and tell more than it hides.
const MinLength = 4

// Masker hides a fixed set of secrets. It is safe for concurrent use; the nil
// Masker hides nothing.
type Masker struct {
	needles map[uint32][]string // by their first four bytes, the longest first
	heads   [1 << 16]uint8      // bit set of the hashes of those four bytes
	longest int
	wraps   wraps
}

// New makes a Masker of secrets. Each is hidden as it is, and as base64, URL,
// JSON and the shell write it. One of several lines is hidden line by line.
func New(secrets ...string) *Masker {
	for _, secret := range secrets {
		// A shell drops the line end that keys end with.
		if trimmed := strings.TrimSpace(secret); trimmed != secret {
			secrets = append(secrets[:len(secrets):len(secrets)], trimmed)
		}
	}
	m := &Masker{needles: map[uint32][]string{}, wraps: newWraps(secrets)}
	for needle := range forms(secrets) {
		key := head(needle)
		m.needles[key] = append(m.needles[key], needle)
		h := hash(key)
		m.heads[h>>3] |= 1 << (h & 7)
		m.longest = max(m.longest, len(needle))
	}
	for _, same := range m.needles {
		slices.SortFunc(same, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	}
	if len(m.needles) == 0 {
		return nil
	}
	return m
}

// Mask returns a line with every secret replaced by Placeholder. cut says that
// the line goes on behind its end, where nobody sees it: what may be the
// beginning of a secret at the end is then removed.
func (m *Masker) Mask(line string, cut bool) string {
	if m == nil {
		return line
	}
	stop := len(line) // nothing from here on is shown
	if cut {
		stop -= m.partial(line)
	}
	if from, to := m.wraps.find(line); from > 0 || to < len(line) {
		return m.maskMarked(line[:stop], from, to)
	}
	var b strings.Builder
	done := 0 // how far line is in b
	for at := m.next(line, 0); at < stop; {
		n := m.match(line[at:])
		if n == 0 {
			at = m.next(line, at+1)
			continue
		}
		b.WriteString(line[done:at])
		b.WriteString(Placeholder)
		done = m.extend(line, at, at+n)
		at = m.next(line, done)
	}
	if done == 0 {
		return line[:stop]
	}
	if done < stop {
		b.WriteString(line[done:stop])
	}
	return b.String()
}

// maskMarked masks what is outside of line[from:to] too.
func (m *Masker) maskMarked(line string, from, to int) string {
	hidden := make([]bool, len(line))
	mark := func(from, to int) {
		for i := from; i < min(to, len(line)); i++ {
			hidden[i] = true
		}
	}
	mark(0, from)
	mark(to, len(line))
	for at := m.next(line, 0); at < len(line); at = m.next(line, at+1) {
		mark(at, at+m.match(line[at:]))
	}
	var b strings.Builder
	for i := range len(line) {
		switch {
		case !hidden[i]:
			b.WriteByte(line[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(Placeholder)
		}
	}
	return b.String()
}

// extend returns the end of the secret at line[at:end] together with those
// that overlap it.
func (m *Masker) extend(line string, at, end int) int {
	for i := m.next(line, at+1); i < end; i = m.next(line, i+1) {
		end = max(end, i+m.match(line[i:]))
	}
	return end
}

// next returns the first position from at on where a secret may begin, or
// len(line).
func (m *Masker) next(line string, at int) int {
	if len(line)-at < MinLength {
		return len(line)
	}
	window := head(line[at:])
	for i := at + MinLength; ; i++ {
		if h := hash(window); m.heads[h>>3]&(1<<(h&7)) != 0 {
			return i - MinLength
		}
		if i >= len(line) {
			return len(line)
		}
		window = window>>8 | uint32(line[i])<<24
	}
}

// match returns the length of the longest secret at the beginning of s.
func (m *Masker) match(s string) int {
	for _, needle := range m.needles[head(s)] {
		if strings.HasPrefix(s, needle) {
			return len(needle)
		}
	}
	return 0
}

// partial returns the length of the longest end of s that is only the
// beginning of a secret.
func (m *Masker) partial(s string) int {
	for n := min(len(s), m.longest-1); n > 0; n-- {
		end := s[len(s)-n:]
		begins := func(needle string) bool { return len(needle) > n && strings.HasPrefix(needle, end) }
		if n >= MinLength {
			if slices.ContainsFunc(m.needles[head(end)], begins) {
				return n
			}
			continue
		}
		for _, same := range m.needles {
			if slices.ContainsFunc(same, begins) {
				return n
			}
		}
	}
	return 0
}

// head returns the first four bytes of s as one number.
func head(s string) uint32 {
	return binary.LittleEndian.Uint32([]byte(s[:MinLength]))
}

// hash maps four bytes to the 19 bits of a position in Masker.heads.
func hash(v uint32) uint32 { return v * 0x9E3779B1 >> 13 }
