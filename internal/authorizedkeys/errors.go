package authorizedkeys

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Why a user's file could not be read or changed. Where it was to be changed, it
// was not.
var (
	ErrNoUser     = errors.New("there is no such user on the server")
	ErrNoSpace    = errors.New("there is no space left on the server for the file of keys")
	ErrReadOnly   = errors.New("the server's file system is read-only")
	ErrUnreadable = errors.New("the file of keys cannot be read")
	ErrNoHome     = errors.New("the user's home is missing")
	ErrLocked     = errors.New("the file of keys was locked by another for too long")
	ErrBusy       = errors.New("the file of keys is being changed by others all the time")
	ErrTooLarge   = errors.New("the file of keys is too large")
	// ErrNoLog says that the server's log does not tell by which key a session
	// was opened.
	ErrNoLog = errors.New("the server's log does not tell which keys opened the sessions")
)

// byStatus is this package's error for a status of its scripts, or nil.
func byStatus(status int) error {
	const first = 81
	known := []error{ErrNoUser, ErrNoSpace, ErrReadOnly, ErrUnreadable, ErrNoHome, ErrLocked, ErrBusy, ErrTooLarge, ErrNoLog}
	if status < first || status >= first+len(known) {
		return nil
	}
	return known[status-first]
}

// Explain adds to an *sshexec.ExitError of a command of this package which of its
// errors it is. It returns every other error as it is.
func Explain(err error) error {
	var exit *sshexec.ExitError
	if errors.As(err, &exit) {
		if known := byStatus(exit.ExitCode); known != nil {
			return fmt.Errorf("%w: %w", known, err)
		}
	}
	return err
}

// failure reads "STATUS TEXT" of a script's answer.
func failure(answer string) error {
	const most = 1 << 10
	number, text, _ := strings.Cut(answer, " ")
	status, _ := strconv.Atoi(number) // 0 is none of ours
	text = printable(text, most)
	if known := byStatus(status); known != nil {
		return fmt.Errorf("%w: %s", known, text)
	}
	return fmt.Errorf("the file of keys: %s", text)
}
