package memory

import (
	"context"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// tx is a transaction on a state, which is a fork where it may write.
type tx struct {
	*state
	ctx     context.Context //nolint:containedctx // of the call that the transaction is
	now     time.Time
	writes  bool
	ended   bool
	misused error // a failure of Emit, which cannot return it
	emitted []forge.Event
}

func newTx(ctx context.Context, s *state, writes bool) *tx {
	// The precision is that of databases, so that all stores behave the same.
	now := time.Now().UTC().Truncate(time.Microsecond)
	return &tx{state: s, ctx: ctx, now: now, writes: writes}
}

func (t *tx) end() { t.ended = true }

// err says why the transaction cannot go on.
func (t *tx) err() error {
	if t.ended {
		return &forge.Error{Class: forge.ErrState, Rule: "the transaction has ended"}
	}
	if t.misused != nil {
		return t.misused
	}
	return t.ctx.Err()
}

// writeErr says why the transaction cannot write.
func (t *tx) writeErr() error {
	if !t.writes {
		return &forge.Error{Class: forge.ErrState, Rule: "a view cannot write; use Update"}
	}
	return t.err()
}

func (t *tx) Now() time.Time { return t.now }

func (t *tx) Servers() forge.Table[forge.Server, forge.ServerFilter] {
	return tableTx[forge.Server, forge.ServerFilter]{t, t.servers}
}

func (t *tx) Sites() forge.Table[forge.Site, forge.SiteFilter] {
	return tableTx[forge.Site, forge.SiteFilter]{t, t.sites}
}

func (t *tx) Keys() forge.Table[forge.Key, forge.KeyFilter] {
	return tableTx[forge.Key, forge.KeyFilter]{t, t.keys}
}

func (t *tx) Grants() forge.Table[forge.Grant, forge.GrantFilter] {
	return tableTx[forge.Grant, forge.GrantFilter]{t, t.grants}
}

func (t *tx) Deployments() forge.Table[forge.Deployment, forge.DeploymentFilter] {
	return tableTx[forge.Deployment, forge.DeploymentFilter]{t, t.deployments}
}

func (t *tx) Actions() forge.Table[forge.Action, forge.ActionFilter] {
	return actionsTx{tableTx[forge.Action, forge.ActionFilter]{t, t.actions}}
}

func (t *tx) Deliveries() forge.Table[forge.Delivery, forge.DeliveryFilter] {
	return tableTx[forge.Delivery, forge.DeliveryFilter]{t, t.deliveries}
}

func (t *tx) Locks() forge.Table[forge.Lock, forge.LockFilter] {
	return tableTx[forge.Lock, forge.LockFilter]{t, t.locks}
}

func (t *tx) Emit(e forge.Event) {
	if err := t.writeErr(); err != nil {
		t.misused = err
		return
	}
	e.Time = t.now
	t.emitted = append(t.emitted, e)
}

func (t *tx) Events(after int64, limit int) ([]forge.Event, error) {
	if err := t.err(); err != nil {
		return nil, err
	}
	return t.events.after(after, limit)
}

func (t *tx) DropEvents(before time.Time) error {
	if err := t.writeErr(); err != nil {
		return err
	}
	t.events = t.events.since(before)
	return nil
}

func (t *tx) LastEvent() (int64, error) { return t.events.last, t.err() }

func (t *tx) DropLog(actionID string) error {
	if err := t.writeErr(); err != nil {
		return err
	}
	t.logs.Delete(actionID)
	return nil
}

func (t *tx) AppendLog(actionID string, epoch int64, from, to forge.Cursor, lines []forge.Line) error {
	// A log shares its arrays with the one that is made of it, which the only
	// writer alone may do.
	if err := t.writeErr(); err != nil {
		return err
	}
	actions, log := tableTx[forge.Action, forge.ActionFilter]{t, t.actions}, t.log(actionID)
	a, err := actions.Get(actionID)
	if err != nil {
		return err
	}
	switch {
	case a.Epoch != epoch:
		return &forge.Error{Class: forge.ErrConflict, Field: "epoch", Rule: "the action was handed out again"}
	case a.Cursor != from, from.Line < log.next:
		return &forge.Error{Class: forge.ErrConflict, Field: "cursor", Rule: "the action's log ends elsewhere"}
	case to.Line-from.Line != int64(len(lines)):
		return &forge.Error{Class: forge.ErrInvalid, Field: "cursor", Rule: "must move by the number of lines"}
	}
	longer, err := log.append(from.Line, lines)
	if err != nil {
		return err
	}
	t.logs.Set(actionID, longer)
	a.Cursor = to
	return actions.Update(a)
}

// actionsTx are the actions, which have logs.
type actionsTx struct {
	tableTx[forge.Action, forge.ActionFilter]
}

func (t actionsTx) Delete(id string) error {
	if err := t.tableTx.Delete(id); err != nil {
		return err
	}
	t.tx.logs.Delete(id)
	return nil
}

func (t actionsTx) Update(a *forge.Action) error {
	if err := t.tableTx.Update(a); err != nil {
		return err
	}
	log, ok := t.tx.logs.Get(a.ID)
	if !ok || !a.Status.Ended() {
		return nil
	}
	log, err := log.sealed()
	if err != nil {
		return err
	}
	t.tx.logs.Set(a.ID, log)
	return nil
}
