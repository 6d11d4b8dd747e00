//go:build !linux

package filelock

import (
	"errors"
	"os"
)

func try(*os.File, int64) (bool, error) { return false, errors.ErrUnsupported }
