package sqlstore

import (
	"context"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// Tx is a forge.Tx on a transaction of a database.
type Tx struct {
	ctx     context.Context //nolint:containedctx // of the call that the transaction is
	d       *Dialect
	conn    Conn
	now     time.Time // zero until it is asked for
	writes  bool
	ended   bool
	failed  error // of a statement after which the transaction cannot go on
	emitted []forge.Event
}

var _ forge.Tx = (*Tx)(nil)

// NewTx is for a transaction, which may begin with its first statement.
func NewTx(ctx context.Context, d *Dialect, conn Conn, writes bool) *Tx {
	return &Tx{ctx: ctx, d: d, conn: conn, writes: writes}
}

// End is called when the caller's function has returned: nothing can be done
// by this transaction any more.
func (t *Tx) End() { t.ended = true }

// Err is why the transaction cannot be committed.
func (t *Tx) Err() error { return t.err() }

func (t *Tx) err() error {
	if t.ended {
		return &forge.Error{Class: forge.ErrState, Rule: "the transaction has ended"}
	}
	if t.failed != nil {
		return t.failed
	}
	return t.ctx.Err()
}

func (t *Tx) writeErr() error {
	if !t.writes {
		return &forge.Error{Class: forge.ErrState, Rule: "a view cannot write; use Update"}
	}
	return t.err()
}

// exec executes statements. Unless the error is a conflict, the transaction
// cannot go on after it.
func (t *Tx) exec(stmts ...Stmt) ([]int64, error) {
	counts, err := t.conn.Exec(t.ctx, stmts...)
	if err != nil {
		if _, taken := t.d.Conflict(err); !taken {
			t.failed = err
		}
	}
	return counts, err
}

func (t *Tx) query(stmt Stmt, row func(scan func(...any) error) error) error {
	err := t.conn.Query(t.ctx, stmt, row)
	if err != nil {
		t.failed = err
	}
	return err
}

// Now is the time of the database at the beginning of the transaction.
func (t *Tx) Now() time.Time {
	if t.err() == nil {
		t.failed = t.readClock()
	}
	return t.now
}

func (t *Tx) readClock() error {
	if !t.now.IsZero() {
		return nil
	}
	now, err := t.conn.Now(t.ctx)
	if err == nil {
		t.now = now.UTC().Truncate(time.Microsecond)
	}
	return err
}

// Servers are the servers.
func (t *Tx) Servers() forge.Table[forge.Server, forge.ServerFilter] {
	return table[forge.Server, forge.ServerFilter]{t, &servers}
}

// Sites are the sites.
func (t *Tx) Sites() forge.Table[forge.Site, forge.SiteFilter] {
	return table[forge.Site, forge.SiteFilter]{t, &sites}
}

// Keys are the keys.
func (t *Tx) Keys() forge.Table[forge.Key, forge.KeyFilter] {
	return table[forge.Key, forge.KeyFilter]{t, &keys}
}

// Grants are the grants.
func (t *Tx) Grants() forge.Table[forge.Grant, forge.GrantFilter] {
	return table[forge.Grant, forge.GrantFilter]{t, &grants}
}

// Deployments are the deployments.
func (t *Tx) Deployments() forge.Table[forge.Deployment, forge.DeploymentFilter] {
	return table[forge.Deployment, forge.DeploymentFilter]{t, &deployments}
}

// Actions are the actions.
func (t *Tx) Actions() forge.Table[forge.Action, forge.ActionFilter] {
	return table[forge.Action, forge.ActionFilter]{t, &actions}
}

// Deliveries are the deliveries.
func (t *Tx) Deliveries() forge.Table[forge.Delivery, forge.DeliveryFilter] {
	return table[forge.Delivery, forge.DeliveryFilter]{t, &deliveries}
}

// Locks are the locks.
func (t *Tx) Locks() forge.Table[forge.Lock, forge.LockFilter] {
	return table[forge.Lock, forge.LockFilter]{t, &locks}
}
