//go:build !linux

package nspawn

import "errors"

// Elsewhere Validate refuses before one of these is reached.

func mountOverlay(_, _, _ string) error { return errors.ErrUnsupported }

func unmount(string) error { return errors.ErrUnsupported }
