//go:build !linux

package testmachine

import (
	"errors"
	"os"
)

// lockFile fails: there are no machines on other systems.
func lockFile(*os.File) error { return errors.ErrUnsupported }
