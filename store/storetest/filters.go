package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

func testFilters(t *testing.T, open func(t *testing.T) forge.Store) {
	now := time.Now().Truncate(time.Microsecond)
	each(t, open, map[string]func(*testing.T, forge.Store){
		"Servers": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Servers, func(v values, r *forge.Server) {
				r.Name, r.Provider = v.one("x", "X", "%"), v.one("p1", "p2")
				r.Status = pick(v, forge.ServerPending, forge.ServerActive, forge.ServerError)
			})
		},
		"Sites": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Sites, func(v values, r *forge.Site) {
				r.Status = pick(v, forge.SitePending, forge.SiteInstalled, forge.SiteDeployed)
				r.Server = v.one("s1", "s2", "s3")
				r.Domain, r.Aliases = fmt.Sprint("d", v.number), nil
				if v.number%3 > 0 {
					r.Aliases = []string{fmt.Sprint("a", v.number), fmt.Sprint("d", 1000+v.number)}
				}
			})
		},
		"Keys": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Keys, func(v values, r *forge.Key) {
				r.Fingerprint = fmt.Sprint("f", v.number/2)
			})
		},
		"Grants": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Grants, func(v values, r *forge.Grant) {
				r.Key, r.Server, r.User = fmt.Sprint("k", v.number%7), fmt.Sprint("s", v.number/7), v.one("root", "forge")
				r.Status = pick(v, forge.GrantPending, forge.GrantSynced, forge.GrantRevoked)
			})
		},
		"Deployments": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Deployments, func(v values, r *forge.Deployment) {
				r.Site, r.Server = v.one("s1", "s2"), v.one("v1", "v2")
				r.Status = pick(v, forge.DeploymentFinished, forge.DeploymentFailed, forge.DeploymentCancelled)
				r.Finished = around(v, now)
			})
		},
		"Actions": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Actions, func(v values, r *forge.Action) {
				r.Kind = pick(v, forge.KindDeploy, forge.KindExec)
				r.Subject = forge.Subject{Kind: pick(v, forge.SubjectSite, forge.SubjectServer), ID: v.one("a", "b")}
				r.Server, r.Parent, r.Waits = v.one("s1", "s2", ""), v.one("p1", "p2", ""), v.one("l1", "l2", "")
				r.Holder = v.one("w1", "")
				r.Status = pick(v, forge.ActionPending, forge.ActionRunning, forge.ActionCancelling,
					forge.ActionFinished, forge.ActionFailed, forge.ActionCancelled, forge.ActionSuperseded)
				r.RunAt, r.Lease, r.Finished = around(v, now), around(v, now), around(v, now)
				r.LogRemoved = pick(v, time.Time{}, now)
			})
		},
		"Deliveries": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Deliveries, func(v values, r *forge.Delivery) {
				r.Site, r.Key = fmt.Sprint("s", v.number%3), fmt.Sprint("k", v.number/3)
				r.Created = around(v, now)
			})
		},
		"Locks": func(t *testing.T, s forge.Store) {
			testFilter(t, s, forge.Tx.Locks, func(v values, r *forge.Lock) { r.Holder = v.one("h1", "h2", "") })
		},
	})
}

// values gives the fields of record after record some of few values.
type values struct {
	*rand.Rand
	number int
}

func pick[V any](v values, of ...V) V { return of[v.IntN(len(of))] }

// around is a time near another, or none.
func around(v values, t time.Time) time.Time {
	return pick(v, time.Time{}, t, t.Add(time.Microsecond), t.Add(-time.Hour), t.Add(time.Hour))
}

func (v values) one(texts ...string) string { return pick(v, texts...) }

// testFilter lists records by every field of the filter alone, by each two, and
// by random ones together, and compares with what a plain loop selects.
func testFilter[T, F any](t *testing.T, s forge.Store, table of[T, F], choose func(values, *T)) {
	const count = 60
	r := seeded(t)
	records := make([]*T, count)
	for i := range records {
		v := values{r, i}
		record := random[T](r)
		*idOf(record) = fmt.Sprintf("%03d", i)
		set := func(name string, value any) {
			if field := reflect.ValueOf(record).Elem().FieldByName(name); field.IsValid() {
				field.Set(reflect.ValueOf(value))
			}
		}
		set("Owner", []string{"ann", "bob"}[i%2])
		set("IdempotencyKey", fmt.Sprint("i", i/2))
		labels := map[string]string{"env": v.one("prod", "test"), "tier": v.one("1", "2"), "": v.one("", "x")}
		if i%3 == 0 {
			labels["empty"] = ""
		}
		set("Labels", labels)
		choose(v, record)
		records[i] = record
	}
	for _, i := range r.Perm(count) {
		insert(t, s, table, records[i])
	}
	fields := reflect.TypeFor[F]().NumField()
	for a := range fields {
		for b := a; b < fields; b++ {
			for range 3 {
				testSelection(t, s, table, records, filterOf[F](r, records, a, b))
			}
		}
	}
	for range 50 {
		testSelection(t, s, table, records, filterOf[F](r, records, r.Perm(fields)[:1+r.IntN(fields)]...))
	}
}

// filterOf returns a filter with some fields set, mostly so that it selects
// one of the records.
func filterOf[F, T any](r *rand.Rand, records []*T, fields ...int) F {
	var f F
	record := reflect.ValueOf(records[r.IntN(len(records))]).Elem()
	for _, i := range fields {
		if r.IntN(10) == 0 {
			record = reflect.ValueOf(records[r.IntN(len(records))]).Elem()
		}
		field := reflect.ValueOf(&f).Elem().Field(i)
		switch name := reflect.TypeFor[F]().Field(i).Name; name {
		case "Status":
			field.Set(reflect.Append(field, record.FieldByName(name)))
			if r.IntN(2) == 0 {
				field.Set(reflect.Append(field, reflect.ValueOf(records[0]).Elem().FieldByName(name)))
			}
		case "Labels":
			labels := map[string]string{}
			for k, v := range record.FieldByName(name).Interface().(map[string]string) {
				if r.IntN(2) == 0 {
					labels[k] = v
				}
			}
			field.Set(reflect.ValueOf(labels))
		case "Domain":
			site := record.Addr().Interface().(*forge.Site)
			names := append([]string{site.Domain}, site.Aliases...)
			field.SetString(names[r.IntN(len(names))])
		case "Open", "HasLog":
			field.SetBool(true)
		case "Due":
			field.Set(record.FieldByName("RunAt"))
		case "Expired":
			field.Set(record.FieldByName("Lease"))
		case "EndedBefore":
			field.Set(record.FieldByName("Finished"))
		case "CreatedBefore":
			field.Set(record.FieldByName("Created"))
		default:
			field.Set(record.FieldByName(name))
		}
	}
	return f
}

func testSelection[T, F any](t *testing.T, s forge.Store, table of[T, F], records []*T, f F) {
	t.Helper()
	var want, got []string
	for _, record := range records {
		if selects(reflect.ValueOf(f), reflect.ValueOf(record).Elem()) {
			want = append(want, *idOf(record))
		}
	}
	for _, record := range list(t, s, table, f, forge.Page{Limit: len(records)}) {
		got = append(got, *idOf(record))
	}
	require.Equal(t, want, got, "%+v", f)

	got = nil
	slices.Reverse(want)
	for page := (forge.Page{Limit: 4, Newest: true}); ; page.After = got[len(got)-1] {
		part := list(t, s, table, f, page)
		for _, record := range part {
			got = append(got, *idOf(record))
		}
		if len(part) < page.Limit {
			break
		}
	}
	require.Equal(t, want, got, "newest first: %+v", f)
}

// selects says, field by field, whether a filter selects a record.
func selects(f, record reflect.Value) bool {
	for i := range f.NumField() {
		name, want := f.Type().Field(i).Name, f.Field(i)
		if want.IsZero() || want.Kind() == reflect.Map && want.Len() == 0 {
			continue
		}
		if !selectsBy(name, want.Interface(), record) {
			return false
		}
	}
	return true
}

func selectsBy(name string, want any, record reflect.Value) bool {
	action, _ := record.Addr().Interface().(*forge.Action)
	switch name {
	case "Status":
		for i := range reflect.ValueOf(want).Len() {
			if reflect.ValueOf(want).Index(i).Equal(record.FieldByName(name)) {
				return true
			}
		}
		return false
	case "Labels":
		have := record.FieldByName(name).Interface().(map[string]string)
		for k, v := range want.(map[string]string) {
			if h, ok := have[k]; !ok || h != v {
				return false
			}
		}
		return true
	case "Domain":
		site := record.Addr().Interface().(*forge.Site)
		return site.Domain == want || slices.Contains(site.Aliases, want.(string))
	case "Open":
		return !action.Status.Ended()
	case "Due":
		return !action.Status.Ended() && action.Holder == "" && !action.RunAt.IsZero() && !action.RunAt.After(want.(time.Time))
	case "Expired":
		return !action.Status.Ended() && action.Holder != "" && action.Lease.Before(want.(time.Time))
	case "HasLog":
		return action.LogRemoved.IsZero()
	case "EndedBefore":
		return isBefore(record.FieldByName("Finished"), want)
	case "CreatedBefore":
		return isBefore(record.FieldByName("Created"), want)
	}
	return record.FieldByName(name).Interface() == want
}

// isBefore reports whether there is a time, and it is before another.
func isBefore(have reflect.Value, want any) bool {
	at := have.Interface().(time.Time)
	return !at.IsZero() && at.Before(want.(time.Time))
}
