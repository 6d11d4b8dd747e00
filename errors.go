package forge

import (
	"errors"
	"fmt"
)

// The classes of errors. Every error of this package that a caller can act on
// is one of them, to be told with errors.Is.
var (
	// ErrInvalid: a value breaks a rule; see *Error for the field and the rule.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: there is no such record, or it belongs to another owner.
	ErrNotFound = errors.New("not found")
	// ErrDenied: Config.Authorize does not allow it.
	ErrDenied = errors.New("denied")
	// ErrConflict: what should be made exists already.
	ErrConflict = errors.New("conflict")
	// ErrState: the record's state does not allow this now.
	ErrState = errors.New("not possible in this state")
	// ErrUnavailable: something could not be reached; another try makes sense.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnknown: it is not known whether it was done.
	ErrUnknown = errors.New("outcome unknown")
	// ErrFailed: it was tried, and failed on the server or at the provider.
	ErrFailed = errors.New("failed")
)

// Error is an error with its class and, where a value is at fault, the field
// and the rule that it breaks.
type Error struct {
	Class error  // one of the classes of this package
	Field string // as "domain"; empty where no value is at fault
	Rule  string // as "must not be an address"
	Err   error  // the cause, if any
}

// Error says the field and the rule, or the class and the cause.
func (e *Error) Error() string {
	text := e.Class.Error()
	if e.Field != "" {
		text = e.Field
	}
	if e.Rule != "" {
		text += ": " + e.Rule
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

func invalid(field, rule string, args ...any) error {
	return &Error{Class: ErrInvalid, Field: field, Rule: fmt.Sprintf(rule, args...)}
}

func badState(rule string, args ...any) error {
	return &Error{Class: ErrState, Rule: fmt.Sprintf(rule, args...)}
}

func notFound(what, id string) error {
	return &Error{Class: ErrNotFound, Field: what, Rule: fmt.Sprintf("there is no %q", id)}
}
