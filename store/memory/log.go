package memory

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/chunk"
)

const (
	// tailSize is the memory that the lines of a log which are not compressed
	// yet may take.
	tailSize = 256 << 10
	// sealSize is what the tail of an ended action must take to be compressed.
	sealSize = 4 << 10
	// lineSize is the memory that a line takes besides its text.
	lineSize = 80
)

// actionLog holds the lines of one action. It never changes: append makes
// another. They share the arrays below, but for what is beyond the end of each.
type actionLog struct {
	chunks []sealedLines
	tail   []forge.Line // the newest lines
	size   int          // memory that the tail takes
	next   int64        // the number after the last line
}

// sealedLines are compressed.
type sealedLines struct {
	first int64
	data  []byte
}

// append returns the log with more lines, numbered from a number on.
func (l *actionLog) append(from int64, lines []forge.Line) (*actionLog, error) {
	longer := *l
	owned := len(l.tail)
	for i, line := range lines {
		if err := chunk.Check(line); err != nil {
			return nil, err
		}
		line.Number = from + int64(i)
		longer.tail = append(longer.tail, line)
		longer.size += lineSize + len(line.Text)
		if longer.size >= tailSize {
			if err := longer.seal(); err != nil {
				return nil, err
			}
			owned = 0
		}
	}
	for i := range longer.tail[owned:] {
		line := &longer.tail[owned+i]
		line.Text = strings.Clone(line.Text) // it may be a small part of a large buffer
	}
	longer.next = from + int64(len(lines))
	return &longer, nil
}

// sealed returns the log with its tail compressed, where that is worth it.
func (l *actionLog) sealed() (*actionLog, error) {
	if l.size < sealSize {
		return l, nil
	}
	sealed := *l
	return &sealed, sealed.seal()
}

func (l *actionLog) seal() error {
	data, err := chunk.Encode(l.tail)
	if err != nil {
		return err
	}
	l.chunks = append(l.chunks, sealedLines{l.tail[0].Number, data})
	l.tail, l.size = nil, 0
	return nil
}

// piece returns some of the lines from a number on, in order; none where the
// log ends before it.
func (l *actionLog) piece(from int64) ([]forge.Line, error) {
	lines := l.tail
	if len(l.chunks) > 0 && (len(lines) == 0 || from < lines[0].Number) {
		i := sort.Search(len(l.chunks), func(i int) bool { return l.chunks[i].first > from })
		var err error
		if lines, err = chunk.Decode(l.chunks[max(0, i-1)].data); err != nil {
			return nil, err
		}
	}
	i, _ := slices.BinarySearchFunc(lines, from, func(line forge.Line, n int64) int { return cmp.Compare(line.Number, n) })
	return lines[i:], nil
}
