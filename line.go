package forge

import (
	"time"

	"github.com/seed-797f2c2c/forge/internal/lines"
)

// LineType tells where a line of a log comes from.
type LineType string

// The types of lines.
const (
	LineOutput LineType = "output" // printed on the server
	LineError  LineType = "error"  // forge says what went wrong
	LineSystem LineType = "system" // forge says what it does
)

// Line is one line of an action's log. Its text is valid UTF-8 and otherwise
// as the server printed it: escape it where it is shown.
type Line struct {
	Number int64 // from 0 on, without gaps
	Time   time.Time
	Type   LineType
	Text   string
}

// Printable returns the text as a terminal can safely show it: escape sequences
// other than those for colours, and other control characters, stand as text.
func (l Line) Printable() string { return lines.Printable(l.Text) }

// Cursor is the end of the last stored line of an action's log: where the
// reading of the run's output goes on.
type Cursor struct {
	Run    string // the detached run that is read; empty when there is none
	Offset int64  // bytes of the run's output that are stored as lines
	Line   int64  // the number of the next line
	Bytes  int64  // what all stored lines count for, to bound them
}
