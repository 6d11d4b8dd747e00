package cloud

import (
	"context"
	"sync/atomic"
	"time"
)

// persistence is how long a request of an operation that has begun waits for its
// place itself.
const persistence = 30 * time.Second

type operationKey struct{}

// Operation returns a context for requests that belong together, such as those that
// make a machine. The first one waits for its place no longer than any other; those
// after it do, and so come before what others begin. Where each could be refused in
// the midst, and began anew, many at once would use up a vendor's limit and get
// nothing done.
func Operation(ctx context.Context) context.Context {
	if _, ok := ctx.Value(operationKey{}).(*atomic.Bool); ok {
		return ctx
	}
	return context.WithValue(ctx, operationKey{}, new(atomic.Bool))
}

// patienceOf is how long a request waits.
func patienceOf(ctx context.Context) time.Duration {
	if begun, ok := ctx.Value(operationKey{}).(*atomic.Bool); ok && begun.Load() {
		return persistence
	}
	return patience
}

// begin notes that a request of an operation has its place.
func begin(ctx context.Context) {
	if begun, ok := ctx.Value(operationKey{}).(*atomic.Bool); ok {
		begun.Store(true)
	}
}
