package forge

import (
	"context"
	"iter"
	"time"
)

// Store keeps the records. Implementations are in the packages below store/
// and pass the suite in store/storetest.
type Store interface {
	// View calls fn with a consistent view of the store. The Tx and what
	// writes through it are valid until fn returns; writing fails.
	View(ctx context.Context, fn func(Tx) error) error

	// Update calls fn in a transaction that is isolated from all others, and
	// commits it when fn returns nil. Otherwise nothing is changed. fn may run
	// more than once, and does no other I/O.
	Update(ctx context.Context, fn func(Tx) error) error

	// Log yields the stored lines of an action from a line number on, in
	// order, and ends where the stored lines end. It holds no transaction
	// open while the caller works on a line.
	Log(ctx context.Context, actionID string, from int64) iter.Seq2[Line, error]
}

// Notifier is implemented by stores that can say when something was committed,
// also by other processes. It is a hint; the truth is read by sequence.
type Notifier interface {
	// Wait returns nil when there may be events after the given sequence, or
	// the error of ctx.
	Wait(ctx context.Context, after int64) error
}

// Tx is a transaction.
type Tx interface {
	// Now is the time of the store's clock, which leases hang on.
	Now() time.Time

	Servers() Table[Server, ServerFilter]
	Sites() Table[Site, SiteFilter]
	Keys() Table[Key, KeyFilter]
	Grants() Table[Grant, GrantFilter]
	Deployments() Table[Deployment, DeploymentFilter]
	Actions() Table[Action, ActionFilter]
	Deliveries() Table[Delivery, DeliveryFilter]
	Locks() Table[Lock, LockFilter]

	// AppendLog stores lines of an action and moves its cursor. It returns an
	// error of class ErrConflict, and stores nothing, when the action's epoch
	// or cursor is not the given one. The numbers of the lines are from.Line,
	// from.Line+1, ... up to to.Line-1.
	AppendLog(actionID string, epoch int64, from, to Cursor, lines []Line) error

	// DropLog removes the stored lines of an action, whose cursor stays. What
	// has none is no error.
	DropLog(actionID string) error

	// Emit appends an event. The store gives it its sequence and time.
	Emit(Event)
	// Events returns at most limit events after a sequence, in order. Where
	// the store dropped some of them, as they were too old, it returns an
	// error of class ErrState. After Beginning, it begins with the oldest one
	// that it still has.
	Events(after int64, limit int) ([]Event, error)
	// DropEvents removes the events before a time.
	DropEvents(before time.Time) error
	// LastEvent is the highest sequence so far, 0 when there is none.
	LastEvent() (int64, error)
}

// Table holds the records of one type. What it returns is a copy, which the
// caller may change.
type Table[T, F any] interface {
	// Get returns the record, or an error of class ErrNotFound. What an Update
	// makes of it is as if no other Update came in between: the others wait, or
	// of two that met one runs again. Until it is committed, what was read may
	// be out of date already.
	Get(id string) (*T, error)
	// Insert adds a record, or returns an error of class ErrConflict that
	// names the field which must be unique.
	Insert(*T) error
	// Update replaces a record. Errors are those of Get and Insert.
	Update(*T) error
	// Delete removes a record. What is gone already is no error.
	Delete(id string) error
	// List returns the records that match every field of the filter that is
	// set, in the order of their ids, which is that of their creation.
	List(F, Page) ([]*T, error)
}

// Page is a part of a list.
type Page struct {
	After  string // the last id of the page before; empty for the first page
	Limit  int    // at most 1,000. Defaults to 100.
	Newest bool   // newest first
}

// MaxPage is the largest Page.Limit. Stores bring larger ones down to it.
const MaxPage = 1000

// Size is the Limit in force.
func (p Page) Size() int {
	switch {
	case p.Limit <= 0:
		return 100
	case p.Limit > MaxPage:
		return MaxPage
	}
	return p.Limit
}

// Lock lets one action at a time work on a server or a site. Its row stays when
// it is free, as the fence only ever rises.
type Lock struct {
	Key    string // as "server-" and an id
	Holder string // the id of the action that holds it; empty when free
	Fence  int64  // rises each time that the lock is taken up
	Left   string // a run that may still go on, as its server could not be asked
}

// Clone returns a copy.
func (l *Lock) Clone() *Lock { c := *l; return &c }

// LockFilter selects locks.
type LockFilter struct{ Holder string }
