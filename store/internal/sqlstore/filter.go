package sqlstore

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// ended is the condition that an action's or a deployment's status is final. The
// indexes say it in the same words, so that the planner knows them again.
const ended = `"status" IN ('finished', 'failed', 'cancelled', 'superseded')`

// where collects conditions that all must hold.
type where struct {
	d     *Dialect
	texts []string
	args  []any

	// column has one of several values, where there are any.
	column string
	values []any
}

func (w *where) and(text string, args ...any) {
	w.texts = append(w.texts, text)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.texts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.texts, " AND ")
}

// is selects the records with a value, unless that is empty.
func is[T ~string](w *where, column string, want T) {
	if want != "" {
		w.and(quote(column)+" = ?", clean(string(want)))
	}
}

// oneOf selects the records with one of several values, unless there are none.
// There is one such column at most.
func oneOf[T ~string](w *where, column string, want []T) {
	if len(want) == 1 {
		w.and(quote(column)+" = ?", clean(string(want[0])))
		return
	}
	w.column = column
	for _, v := range slices.Compact(slices.Sorted(slices.Values(want))) {
		w.values = append(w.values, clean(string(v)))
	}
}

// page selects a page of records. Where a column has one of several values, it
// selects a page of each: an index has the records of one in their order, and not
// those of several.
func (w *where) page(columns, table string, p forge.Page) Stmt {
	order := ` ORDER BY "id"`
	switch {
	case p.Newest && p.After != "":
		w.and(`"id" < ?`, clean(p.After))
	case p.After != "":
		w.and(`"id" > ?`, clean(p.After))
	}
	if p.Newest {
		order += " DESC"
	}
	order += " LIMIT ?"
	from := "SELECT " + columns + " FROM {" + table + "}"
	if len(w.values) == 0 {
		return w.d.sql(from+w.String()+order, append(w.args, p.Size())...)
	}
	w.and(quote(w.column) + " = ?")
	part := "SELECT * FROM (" + from + w.String() + order + ") AS part"
	var args []any
	for _, v := range w.values {
		args = append(append(args, w.args...), v, p.Size())
	}
	return w.d.sql(part+strings.Repeat(" UNION ALL "+part, len(w.values)-1)+order, append(args, p.Size())...)
}

func (w *where) labelled(want map[string]string) {
	for k, v := range want {
		w.and(w.d.HasLabel, clean(k), clean(v))
	}
}

// before selects the records with a time before the given one, unless that is
// zero.
func (w *where) before(column string, t time.Time) {
	if !t.IsZero() {
		w.and(quote(column)+" < ?", w.d.time(&t))
	}
}

func serversWhere(w *where, f forge.ServerFilter) {
	is(w, "owner", f.Owner)
	is(w, "name", f.Name)
	is(w, "provider", f.Provider)
	is(w, "idempotency_key", f.IdempotencyKey)
	oneOf(w, "status", f.Status)
	w.labelled(f.Labels)
}

func sitesWhere(w *where, f forge.SiteFilter) {
	is(w, "owner", f.Owner)
	is(w, "server", f.Server)
	if f.Domain != "" {
		w.and(hasDomain, clean(f.Domain))
	}
	is(w, "idempotency_key", f.IdempotencyKey)
	oneOf(w, "status", f.Status)
	w.labelled(f.Labels)
}

func keysWhere(w *where, f forge.KeyFilter) {
	is(w, "owner", f.Owner)
	is(w, "fingerprint", f.Fingerprint)
	is(w, "idempotency_key", f.IdempotencyKey)
	w.labelled(f.Labels)
}

func grantsWhere(w *where, f forge.GrantFilter) {
	is(w, "owner", f.Owner)
	is(w, "key", f.Key)
	is(w, "server", f.Server)
	is(w, "unix_user", f.User)
	oneOf(w, "status", f.Status)
}

func deploymentsWhere(w *where, f forge.DeploymentFilter) {
	is(w, "owner", f.Owner)
	is(w, "site", f.Site)
	is(w, "server", f.Server)
	oneOf(w, "status", f.Status)
	w.before("finished", f.EndedBefore)
}

func deliveriesWhere(w *where, f forge.DeliveryFilter) {
	is(w, "owner", f.Owner)
	is(w, "site", f.Site)
	is(w, "key", f.Key)
	is(w, "digest", f.Digest)
	w.before("created", f.CreatedBefore)
}

func locksWhere(w *where, f forge.LockFilter) { is(w, "holder", f.Holder) }

func actionsWhere(w *where, f forge.ActionFilter) {
	is(w, "owner", f.Owner)
	is(w, "kind", f.Kind)
	is(w, "subject_kind", f.Subject.Kind)
	is(w, "subject", f.Subject.ID)
	is(w, "server", f.Server)
	is(w, "parent", f.Parent)
	is(w, "idempotency_key", f.IdempotencyKey)
	oneOf(w, "status", f.Status)
	is(w, "waits", f.Waits)
	// What has not ended is little, and has indexes of its own.
	open := f.Open || len(f.Status) > 0 && !slices.ContainsFunc(f.Status, forge.ActionStatus.Ended)
	if open || !f.Due.IsZero() || !f.Expired.IsZero() {
		w.and("NOT " + ended)
	}
	if !f.Due.IsZero() {
		w.and(`"holder" = '' AND "run_at" <= ?`, w.d.time(&f.Due))
	}
	if !f.Expired.IsZero() {
		w.and(`"holder" <> '' AND ("lease" IS NULL OR "lease" < ?)`, w.d.time(&f.Expired))
	}
	w.before("finished", f.EndedBefore)
	if f.HasLog {
		w.and(`"log_removed" IS NULL`)
	}
}
