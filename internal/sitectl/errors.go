package sitectl

import (
	"errors"
	"fmt"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// The failures of Create and Delete, beside those of the connection.
var (
	// ErrTaken says that the user, the home or the directory exists and is not the site's.
	ErrTaken = errors.New("the unix user or the directory is taken")
	// ErrNotInstalled says that nginx or the version of PHP is missing.
	ErrNotInstalled = errors.New("the stack is not installed")
	// ErrBrokenBefore says that the configuration of nginx or FPM was broken
	// before, by somebody else, so that nothing was changed.
	ErrBrokenBefore = errors.New("the server's configuration is broken")
	// ErrRejected says that nginx or FPM refuses the configuration with the
	// change, which was put back.
	ErrRejected = errors.New("the configuration was refused")
	// ErrNotReloaded says that nginx or FPM went on with the old configuration,
	// which was put back.
	ErrNotReloaded = errors.New("the configuration was not taken up")
	// ErrBusy says that processes or files of the user cannot be removed.
	ErrBusy = errors.New("the site cannot be removed whole")
)

// Explain adds to an *sshexec.ExitError of Create or Delete which of this
// package's errors it is. It returns every other error as it is.
func Explain(err error) error {
	var exit *sshexec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	meaning := map[int]error{
		81: ErrTaken, 82: ErrNotInstalled, 83: ErrBrokenBefore,
		84: ErrRejected, 85: ErrNotReloaded, 86: ErrBusy,
	}[exit.ExitCode]
	if meaning == nil {
		return err
	}
	return fmt.Errorf("%w: %w", meaning, err)
}
