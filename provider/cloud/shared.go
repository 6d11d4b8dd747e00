package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// readTimeout bounds what is read on behalf of several callers.
const readTimeout = time.Minute

// timely says of a read that took too long that it did: its deadline is not one of
// those who wait for it.
func timely(err error, what string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s within %v", provider.ErrUnavailable, what, readTimeout)
	}
	return err
}
