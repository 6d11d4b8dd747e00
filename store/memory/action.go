package memory

import (
	"slices"

	"github.com/seed-797f2c2c/forge"
)

func actionSchema() *schema[forge.Action, forge.ActionFilter] {
	return &schema[forge.Action, forge.ActionFilter]{
		name:  "action",
		id:    func(a *forge.Action) string { return a.ID },
		clone: (*forge.Action).Clone,
		index: actionEntries,
		query: func(f forge.ActionFilter) (lookup, func(*forge.Action) bool) {
			open := f.Open || len(f.Status) > 0 && !slices.ContainsFunc(f.Status, forge.ActionStatus.Ended)
			where := first(
				among("idempotency_key", f.IdempotencyKey),
				by("parent", f.Parent),
				by("waits", f.Waits),
				until("due", f.Due),
				until("lease", f.Expired),
				by("subject", f.Subject.ID),
				openOn(open, f.Server),
				openActions(open),
				by("server", f.Server),
				by("owner", f.Owner),
				endedBefore(f),
			)
			return where, func(a *forge.Action) bool { return selected(f, a) }
		},
	}
}

func actionEntries(a *forge.Action) []entry {
	entries := slices.Concat(
		idempotency(a.Owner, a.IdempotencyKey),
		found("parent", a.Parent),
		found("subject", a.Subject.ID),
		found("server", a.Server),
		found("owner", a.Owner),
		found("waits", a.Waits),
		at("ended", a.Finished),
	)
	if a.LogRemoved.IsZero() {
		entries = append(entries, at("logged", a.Finished)...)
	}
	if a.Status.Ended() {
		return entries
	}
	entries = append(entries, found("open", "yes")...)
	entries = append(entries, found("open_server", a.Server)...)
	switch {
	case a.Holder != "":
		entries = append(entries, found("lease", sortable(a.Lease))...)
	default:
		entries = append(entries, at("due", a.RunAt)...)
	}
	return entries
}

func endedBefore(f forge.ActionFilter) lookup {
	if f.HasLog {
		return until("logged", f.EndedBefore)
	}
	return until("ended", f.EndedBefore)
}

func openActions(open bool) lookup {
	if open {
		return by("open", "yes")
	}
	return lookup{}
}

func openOn(open bool, server string) lookup {
	if open {
		return by("open_server", server)
	}
	return lookup{}
}

// selected reports whether an action matches every field of a filter.
func selected(f forge.ActionFilter, a *forge.Action) bool {
	open, held := !a.Status.Ended(), a.Holder != ""
	return is(f.Owner, a.Owner) && is(f.Kind, a.Kind) &&
		is(f.Subject.Kind, a.Subject.Kind) && is(f.Subject.ID, a.Subject.ID) &&
		is(f.Server, a.Server) && is(f.Parent, a.Parent) && is(f.IdempotencyKey, a.IdempotencyKey) &&
		oneOf(f.Status, a.Status) && is(f.Waits, a.Waits) &&
		(!f.Open || open) &&
		(f.Due.IsZero() || open && !held && !a.RunAt.IsZero() && !a.RunAt.After(f.Due)) &&
		(f.Expired.IsZero() || open && held && a.Lease.Before(f.Expired)) &&
		before(f.EndedBefore, a.Finished) && (!f.HasLog || a.LogRemoved.IsZero())
}
