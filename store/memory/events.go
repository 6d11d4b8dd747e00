package memory

import (
	"slices"
	"sort"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// eventLog holds the newest events. Their sequences have no gaps.
type eventLog struct {
	kept []forge.Event
	last int64 // the highest sequence so far
}

// append adds events, and drops the oldest ones beyond keep. States share the
// array below: what it holds beyond the end of a state's slice is of no concern
// to that state.
func (l eventLog) append(events []forge.Event, keep int) eventLog {
	for _, e := range events {
		l.last++
		e.Seq = l.last
		l.kept = append(l.kept, e)
	}
	l.kept = l.kept[max(0, len(l.kept)-keep):]
	return l
}

// since drops the events before a time.
func (l eventLog) since(t time.Time) eventLog {
	i := sort.Search(len(l.kept), func(i int) bool { return !l.kept[i].Time.Before(t) })
	l.kept = l.kept[i:]
	return l
}

// after returns at most limit events after a sequence; a negative one is
// before the oldest that is kept.
func (l eventLog) after(seq int64, limit int) ([]forge.Event, error) {
	dropped := l.last - int64(len(l.kept))
	switch {
	case seq < 0:
		seq = dropped
	case seq < dropped:
		return nil, &forge.Error{Class: forge.ErrState, Rule: "events after this one were dropped; read the records anew"}
	case seq >= l.last:
		return nil, nil
	}
	events := l.kept[seq-dropped:]
	return slices.Clone(events[:min(max(limit, 0), len(events))]), nil
}
