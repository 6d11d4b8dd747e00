package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// goneIn is how long a machine may take to be gone.
const goneIn = time.Minute

// WaitGone waits until a machine is gone that the vendor is about to remove, for a
// minute at the most: until one, which asks for a machine by its id, says that there is
// none by a provider.ErrNotFound. still, unless it is nil, looks at a machine that is
// there yet, and ends the wait by an error. what is the vendor's word for a machine.
func WaitGone[T any](ctx context.Context, what, id string, one func(ctx context.Context, id string) (T, error), still func(T) error) error {
	for deadline := time.Now().Add(goneIn); ; {
		machine, err := one(ctx, id)
		switch {
		case errors.Is(err, provider.ErrNotFound):
			return nil
		case err == nil && still != nil:
			err = still(machine)
		}
		if err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: the %s is still there", provider.ErrUnavailable, what)
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}
