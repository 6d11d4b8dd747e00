// Package validate checks the values that users give, each kind by one
// function. It returns the value in its normal form, or an [Error] that names
// the field and the rule. Empty values are refused: what is optional is for
// the caller to know.
//
// What it lets through of a domain, ref, repository, directory, user, version
// or token is one word in a shell script and one value in a configuration
// file, without quotes.
package validate

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says which rule a value broke.
type Error struct {
	Field string
	Value string // the value if it is short, printable and no secret
	Rule  string // what the value must be, as "must not be an IP address"
}

func (e *Error) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Rule
	}
	return fmt.Sprintf("%s: %s, unlike %q", e.Field, e.Rule, e.Value)
}

// maxQuoted is the longest value that an error repeats, in bytes.
const maxQuoted = 64

// broken makes the error of a value that can be shown.
func broken(field, value, rule string, args ...any) *Error {
	e := hidden(field, rule, args...)
	if len(value) <= maxQuoted && printable(value) {
		e.Value = value
	}
	return e
}

// hidden makes the error of a value that is not shown.
func hidden(field, rule string, args ...any) *Error {
	return &Error{Field: field, Rule: fmt.Sprintf(rule, args...)}
}

// required is the rule that an empty value breaks.
const required = "is required"

// printable reports whether a text shows as it is.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable)
}
