package forge

import (
	"context"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// maxPostponed bounds one wait for a provider's rate limit. Those limits are by
// the hour.
const maxPostponed = time.Hour

// postpone gives the slot back until the provider is likely to take another
// request. That time is the provider's and not the action's: its deadline moves
// by as much.
func (w *work) postpone(ctx context.Context, limited *provider.RateLimitError) error {
	after := min(max(time.Until(limited.Reset), time.Second), maxPostponed)
	return w.update(ctx, func(t *txn, a *Action) error {
		if a.Status == ActionCancelling { // since the handler returned
			after = 0
		}
		a.Waiting = limited.Error()
		a.Deadline = a.Deadline.Add(after)
		w.handOut(t, a, t.Now().Add(after))
		return t.Actions().Update(a)
	})
}
