package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

const (
	// aftermath is how long it may take to find out what became of a request.
	aftermath = time.Minute
	// pause is between two looks at what changes at the vendor.
	pause = 2 * time.Second
)

// Aftermath returns a context for finding out what became of a request, and for
// undoing what it should not leave behind, also when ctx has ended: the caller may
// have left, but what was made remains. It ends after a minute, or by cancel.
func Aftermath(ctx context.Context) (after context.Context, cancel context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), aftermath)
}

// Look looks for what a request may have made that was not answered. It calls find
// until that returns something or an error, n times at the most, two seconds apart, as
// a list may be behind. Nothing is found where nothing was made. The pauses end with
// ctx, after which find is not called again; it asks with a context of its own, such as
// one of Aftermath. cause is why there is something to look for, which the error of find
// is told with, unless it is nil.
func Look[T any](ctx context.Context, cause error, n int, find func() (*T, error)) (*T, error) {
	for ; ; n-- {
		found, err := find()
		switch {
		case err != nil && cause != nil:
			return nil, fmt.Errorf("%w (it was looked for because of: %w)", err, cause)
		case err != nil || found != nil || n <= 1 || Sleep(ctx, pause) != nil:
			return found, err
		}
	}
}

// Undo removes what was made for a machine that was not made itself because of cause,
// such as the entry of its key. It returns cause; or, where that failed and something is
// still there, what of package provider's went wrong with drop, so that it is tried
// again. After a refusal for want of a place in the rate limit it leaves all as it is:
// the next try needs it. drop has a context that does not end with ctx. what is the
// vendor's word for a machine.
func Undo(ctx context.Context, what string, cause error, drop func(context.Context) error) error {
	if errors.Is(cause, provider.ErrRateLimit) {
		return cause
	}
	after, cancel := Aftermath(ctx)
	defer cancel()
	if err := drop(after); err != nil {
		return fmt.Errorf("%w (the %s was not made: %s)", err, what, cause.Error())
	}
	return cause
}
