package forge

import (
	"context"
	"errors"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// failure is returned by a handler for work that failed for good.
type failure struct{ Failure }

func (f *failure) Error() string {
	if f.Message != "" {
		return f.Message
	}
	return string(f.Reason)
}

// unfinished reports whether an error says no more than that the work was
// broken off.
func unfinished(err error) bool {
	var wait *waiting
	return errors.Is(err, context.Canceled) || errors.Is(err, errShutdown) || errors.As(err, &wait) || retryable(err)
}

// retryable reports whether another try makes sense. A server that shows another
// key is left alone.
func retryable(err error) bool {
	var connect *sshexec.ConnectError
	var hostKey *sshexec.HostKeyError
	if errors.As(err, &hostKey) {
		return false
	}
	return errors.Is(err, ErrUnavailable) || errors.Is(err, sshexec.ErrUnknown) || errors.As(err, &connect) ||
		errors.Is(err, sshexec.ErrFenceBusy) ||
		errors.Is(err, provider.ErrUnavailable) || errors.Is(err, provider.ErrRateLimit)
}

func isProviderError(err error) bool {
	for _, class := range []error{
		provider.ErrNotFound, provider.ErrInvalid, provider.ErrAuth, provider.ErrPermission, provider.ErrQuota,
		provider.ErrCapacity, provider.ErrRateLimit, provider.ErrConflict, provider.ErrUnavailable, provider.ErrMissing,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// failureOf says in the terms of an action what an error means.
func failureOf(err error) *Failure {
	f := &Failure{Reason: ReasonError, Message: err.Error()}
	var (
		known   *failure
		exit    *sshexec.ExitError
		hostKey *sshexec.HostKeyError
		connect *sshexec.ConnectError
	)
	switch {
	case errors.As(err, &known):
		c := known.Failure
		return &c
	case errors.As(err, &hostKey):
		f.Reason = ReasonHostKey
	case errors.As(err, &connect):
		f.Reason, f.Stage = ReasonUnreachable, string(connect.Stage)
	case errors.As(err, &exit):
		f.Reason, f.ExitCode, f.Output = ReasonExit, exit.ExitCode, exit.Stderr
	case errors.Is(err, sshexec.ErrUnknown):
		f.Reason = ReasonUnknown
	case isProviderError(err):
		f.Reason = ReasonProvider
	}
	return f
}
