package forge

import (
	"context"
	"fmt"
	"time"
)

// takeRuns waits until nothing else is under way on the server, and stops what may
// run on there of what has ended.
func (w *work) takeRuns(ctx context.Context, srv *Server) error {
	var open []*Action
	var left []string
	err := w.view(ctx, func(tx Tx) (err error) {
		if open, err = tx.Actions().List(ActionFilter{Server: srv.ID, Open: true}, Page{Limit: 2}); err != nil {
			return err
		}
		left, err = runsLeft(tx, srv.ID)
		return err
	})
	if err != nil {
		return err
	}
	for _, a := range open {
		if a.ID != w.action.ID {
			return &waiting{least: 500 * time.Millisecond, most: 3 * time.Second,
				why: fmt.Errorf("%s is still %s", a.Kind, a.Status)}
		}
	}
	if err := w.stopStale(ctx); err != nil {
		return err
	}
	for _, run := range left {
		if _, err := w.client(srv).Stop(ctx, run); err != nil {
			return err
		}
	}
	return nil
}

// runsLeft are the runs of commands, which hold no lock to note them at, whose end
// nobody knows.
func runsLeft(tx Tx, serverID string) (runs []string, err error) {
	failed := ActionFilter{Server: serverID, Kind: KindExec, Status: []ActionStatus{ActionFailed}}
	for a, err := range actionsOf(tx, failed) {
		if err != nil {
			return nil, err
		}
		known := a.Failure.Reason == ReasonExit || a.Failure.Reason == ReasonInterrupted || a.Failure.Reason == ReasonTimeout
		if a.Cursor.Run != "" && !known {
			runs = append(runs, a.Cursor.Run)
		}
	}
	return runs, nil
}
