//go:build !linux

package sshfleet

import (
	"context"
	"errors"
	"os"
)

// Elsewhere Check refuses before one of these is reached.

func boot(*Host, []file, *os.File) (*os.Process, error) { return nil, errors.ErrUnsupported }

func lockDir(string) (func(), error) { return nil, errors.ErrUnsupported }

func endProcesses(context.Context, ...*Host) error { return errors.ErrUnsupported }

func (h *Host) open(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func (h *Host) hangUp() error { return errors.ErrUnsupported }

func (h *Host) ended() bool { return true }

func (h *Host) freeze(context.Context) error { return errors.ErrUnsupported }

func (h *Host) thaw(context.Context) error { return errors.ErrUnsupported }
