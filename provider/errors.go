package provider

import (
	"errors"
	"fmt"
	"time"
)

// What can be wrong at a provider. Adapters wrap these, with their own name in
// front and what the user can do behind.
var (
	ErrNotFound   = errors.New("machine not found")
	ErrInvalid    = errors.New("request is not valid")
	ErrAuth       = errors.New("credentials are not accepted")
	ErrPermission = errors.New("not permitted")
	ErrQuota      = errors.New("limit of the account is reached")
	ErrCapacity   = errors.New("no capacity at the provider")
	ErrRateLimit  = errors.New("too many requests")
	ErrConflict   = errors.New("conflicts with what exists")
	// ErrUnavailable is a passing fault: another try makes sense.
	ErrUnavailable = errors.New("provider is not available")
	// ErrMissing says that this machine lacks a tool or a right.
	ErrMissing = errors.New("a requirement is missing")
)

// RateLimitError says when another try makes sense. It wraps ErrRateLimit.
type RateLimitError struct {
	Reset time.Time
}

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("%v: try again at %s", ErrRateLimit, e.Reset.UTC().Format(time.RFC3339))
}

func (e *RateLimitError) Unwrap() error { return ErrRateLimit }
