package forge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// reachPatience is how long a worker's slot is spent on a connection in the
	// making.
	reachPatience = time.Second
	// reachTimeout bounds what goes on apart from a slot; sshexec's own limit of
	// one try is shorter.
	reachTimeout = 30 * time.Second
	// reachKept is how long a connection that was made, or failed, waits for its
	// action to hear of it: another process may have taken that up.
	reachKept = time.Minute
)

// dials are connections in the making for actions, some of which have given their
// slot back meanwhile.
type dials struct {
	mu    sync.Mutex
	of    map[string]*slowDial // by the id of the action
	tasks sync.WaitGroup
}

type slowDial struct {
	apart atomic.Bool // nobody waits for it with a slot
	done  chan struct{}
	err   error // valid when done is closed
}

func newDials() *dials { return &dials{of: map[string]*slowDial{}} }

// begin returns the dial of an action, which is begun if there is none. ended is
// called once it is done, if it went on apart.
func (d *dials) begin(action string, connect func() error, ended func()) *slowDial {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.of[action]; s != nil {
		return s
	}
	s := &slowDial{done: make(chan struct{})}
	d.of[action] = s
	d.tasks.Go(func() {
		s.err = connect()
		close(s.done)
		if s.apart.Load() {
			ended()
			time.AfterFunc(reachKept, func() { d.forget(action, s) })
		}
	})
	return s
}

func (d *dials) forget(action string, s *slowDial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of[action] == s {
		delete(d.of, action)
	}
}

// reach waits for a connection to the server. One that takes its time costs no slot:
// the action waits apart, and goes on as soon as the connection is there, or failed.
func (c *core) reach(ctx context.Context, w *work, srv *Server) error {
	id, next := w.action.ID, w.action.Epoch+1 // the epoch after it is handed back
	d := c.dials.begin(id, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTimeout)
		defer cancel()
		return c.client(srv).Connect(ctx)
	}, func() { c.wake(context.WithoutCancel(ctx), id, next) })
	timer := time.NewTimer(reachPatience)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-timer.C:
		d.apart.Store(true)
	case <-ctx.Done():
		d.apart.Store(true)
		return context.Cause(ctx)
	}
	select {
	case <-d.done:
		c.dials.forget(id, d)
		return d.err
	default:
		return &waiting{least: time.Second, most: 10 * time.Second, plain: true, why: errors.New("the server has not let forge in yet")}
	}
}

// wake lets an action go on that waits in an epoch.
func (c *core) wake(ctx context.Context, id string, epoch int64) {
	err := c.update(ctx, func(t *txn) error {
		a, err := orNone(t.Actions().Get(id))
		if a == nil || a.Status.Ended() || a.Epoch != epoch || a.Holder != "" || a.RunAt.IsZero() {
			return err
		}
		c.handOut(t, a, t.Now())
		return t.Actions().Update(a)
	})
	if err != nil {
		c.Logger.WarnContext(ctx, "an action was not woken and will go on later", "action", id, "error", err)
	}
}
