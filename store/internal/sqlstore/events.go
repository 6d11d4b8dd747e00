package sqlstore

import (
	"time"

	"github.com/seed-797f2c2c/forge"
)

// Emit keeps an event until the commit.
func (t *Tx) Emit(e forge.Event) {
	if err := t.writeErr(); err != nil {
		if t.failed == nil && t.writes {
			t.failed = err
		}
		return
	}
	t.emitted = append(t.emitted, e)
}

// Emitted are statements that insert the events of the transaction, with the
// sequence that the expression next gives to each. They come last before the
// commit, after what makes the sequence that of the commits.
func (t *Tx) Emitted(next string) ([]Stmt, error) {
	if len(t.emitted) == 0 {
		return nil, nil
	}
	if err := t.readClock(); err != nil {
		return nil, err
	}
	stmts := make([]Stmt, len(t.emitted))
	for i := range t.emitted {
		t.emitted[i].Time = t.now
		fields := t.d.event(&t.emitted[i])
		stmts[i] = t.d.sql("INSERT INTO {events} ("+names(fields)+") VALUES ("+next+", "+placeholders(len(fields)-1)+")", args(fields[1:])...)
	}
	return stmts, nil
}

// Events returns events after a sequence.
func (t *Tx) Events(after int64, limit int) ([]forge.Event, error) {
	if err := t.err(); err != nil {
		return nil, err
	}
	if after >= 0 {
		dropped, err := t.number(`SELECT "dropped" FROM {event_state}`)
		if err != nil {
			return nil, err
		}
		if after < dropped {
			return nil, &forge.Error{Class: forge.ErrState, Rule: "events after this one were dropped; read the records anew"}
		}
	}
	var events []forge.Event
	stmt := t.d.sql("SELECT "+names(t.d.event(new(forge.Event)))+` FROM {events} WHERE "seq" > ? ORDER BY "seq" LIMIT ?`, after, max(limit, 0))
	err := t.query(stmt, func(scan func(...any) error) error {
		var e forge.Event
		if err := scan(dests(t.d.event(&e))...); err != nil {
			return err
		}
		events = append(events, e)
		return nil
	})
	return events, err
}

// DropEvents removes the events before a time.
func (t *Tx) DropEvents(before time.Time) error {
	if err := t.writeErr(); err != nil {
		return err
	}
	const old = `FROM {events} WHERE "time" < ?`
	_, err := t.exec(
		t.d.sql(`UPDATE {event_state} SET "dropped" = COALESCE((SELECT MAX("seq") `+old+`), "dropped")`, t.d.time(&before)),
		t.d.sql(`DELETE `+old, t.d.time(&before)),
	)
	return err
}

// LastEvent is the highest sequence.
func (t *Tx) LastEvent() (int64, error) {
	if err := t.err(); err != nil {
		return 0, err
	}
	return t.number(`SELECT COALESCE((SELECT MAX("seq") FROM {events}), (SELECT "dropped" FROM {event_state}))`)
}

// number is the only value of a query.
func (t *Tx) number(text string) (n int64, err error) {
	err = t.query(t.d.sql(text), func(scan func(...any) error) error { return scan(&n) })
	return n, err
}
