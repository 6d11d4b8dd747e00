package memory

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// looked returns how many records a list looks at.
func looked[T, F any](t *testing.T, table *table[T, F], f F, p forge.Page) int {
	t.Helper()
	count := 0
	counting := *table.schema
	counting.query = func(f F) (lookup, func(*T) bool) {
		where, match := table.query(f)
		return where, func(r *T) bool { count++; return match(r) }
	}
	forked := table.fork()
	forked.schema = &counting
	list, err := tableTx[T, F]{newTx(t.Context(), newState(), false), forked}.List(f, p)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return count
}

// TestListCost checks that lists by what records are found by do not look at
// all records.
func TestListCost(t *testing.T) {
	t.Parallel()
	const count = 2000
	now := time.Now()
	s := newState()
	put := func(err error) { require.NoError(t, err) }
	for i := range count {
		id, some, owner := fmt.Sprintf("%04d", i), fmt.Sprint("of", i/5), fmt.Sprint("owner", i/5)
		later := now.Add(time.Duration(i) * time.Second)
		put(s.servers.put(id, nil, &forge.Server{ID: id, Owner: owner, IdempotencyKey: id}))
		put(s.sites.put(id, nil, &forge.Site{ID: id, Owner: owner, Server: some, Domain: "d" + id, Aliases: []string{"a" + id}, IdempotencyKey: id}))
		put(s.keys.put(id, nil, &forge.Key{ID: id, Owner: owner, Fingerprint: id, IdempotencyKey: id}))
		put(s.grants.put(id, nil, &forge.Grant{ID: id, Owner: owner, Key: some, Server: some, User: id}))
		put(s.deployments.put(id, nil, &forge.Deployment{ID: id, Owner: owner, Site: some, Server: some, Status: forge.DeploymentFinished, Finished: later}))
		put(s.deliveries.put(id, nil, &forge.Delivery{ID: id, Owner: owner, Site: some, Key: id, Digest: id, Created: later}))
		put(s.locks.put(id, nil, &forge.Lock{Key: id, Holder: some}))
		a := &forge.Action{ID: id, Owner: owner, Server: some, Parent: some, Subject: forge.Subject{ID: some}, IdempotencyKey: id, Status: forge.ActionFinished}
		switch i % 400 {
		case 0:
			a.Status, a.RunAt = forge.ActionPending, later
		case 1:
			a.Status, a.Holder, a.Lease = forge.ActionRunning, "w", later
		case 2:
			a.Status, a.Waits = forge.ActionPending, "lock"
		case 3:
			a.Finished = later
		default:
			a.Finished, a.LogRemoved = later.Add(time.Hour), now
		}
		put(s.actions.put(id, nil, a))
	}
	for name, got := range map[string]int{
		"servers of an owner":       looked(t, s.servers, forge.ServerFilter{Owner: "owner3"}, forge.Page{}),
		"server by idempotency":     looked(t, s.servers, forge.ServerFilter{IdempotencyKey: "0007"}, forge.Page{}),
		"sites of a server":         looked(t, s.sites, forge.SiteFilter{Server: "of3"}, forge.Page{Newest: true}),
		"sites by domain":           looked(t, s.sites, forge.SiteFilter{Domain: "a0010"}, forge.Page{}),
		"key by fingerprint":        looked(t, s.keys, forge.KeyFilter{Owner: "owner2", Fingerprint: "0010"}, forge.Page{}),
		"grants of a key":           looked(t, s.grants, forge.GrantFilter{Key: "of3"}, forge.Page{}),
		"grants of a server":        looked(t, s.grants, forge.GrantFilter{Server: "of3"}, forge.Page{}),
		"deployments of a site":     looked(t, s.deployments, forge.DeploymentFilter{Site: "of3"}, forge.Page{Newest: true, Limit: 1}),
		"locks of a holder":         looked(t, s.locks, forge.LockFilter{Holder: "of3"}, forge.Page{}),
		"actions of a parent":       looked(t, s.actions, forge.ActionFilter{Parent: "of3"}, forge.Page{}),
		"actions of a subject":      looked(t, s.actions, forge.ActionFilter{Subject: forge.Subject{ID: "of3"}}, forge.Page{}),
		"open actions":              looked(t, s.actions, forge.ActionFilter{Open: true}, forge.Page{}),
		"running actions":           looked(t, s.actions, forge.ActionFilter{Status: []forge.ActionStatus{forge.ActionRunning}}, forge.Page{}),
		"due actions":               looked(t, s.actions, forge.ActionFilter{Due: now.Add(900 * time.Second)}, forge.Page{}),
		"expired actions":           looked(t, s.actions, forge.ActionFilter{Expired: now.Add(900 * time.Second)}, forge.Page{}),
		"actions waiting":           looked(t, s.actions, forge.ActionFilter{Waits: "lock"}, forge.Page{}),
		"actions by idempotency":    looked(t, s.actions, forge.ActionFilter{IdempotencyKey: "0007"}, forge.Page{}),
		"actions ended":             looked(t, s.actions, forge.ActionFilter{EndedBefore: now.Add(900 * time.Second)}, forge.Page{}),
		"actions with a log":        looked(t, s.actions, forge.ActionFilter{EndedBefore: now.Add(9000 * time.Second), HasLog: true}, forge.Page{}),
		"deployments ended":         looked(t, s.deployments, forge.DeploymentFilter{EndedBefore: now.Add(9 * time.Second)}, forge.Page{}),
		"deliveries of a site":      looked(t, s.deliveries, forge.DeliveryFilter{Site: "of3"}, forge.Page{}),
		"delivery by key":           looked(t, s.deliveries, forge.DeliveryFilter{Site: "of3", Key: "0016"}, forge.Page{}),
		"delivery by digest":        looked(t, s.deliveries, forge.DeliveryFilter{Site: "of3", Digest: "0016"}, forge.Page{}),
		"deliveries that came":      looked(t, s.deliveries, forge.DeliveryFilter{CreatedBefore: now.Add(9 * time.Second)}, forge.Page{}),
		"a page of all, at its end": looked(t, s.actions, forge.ActionFilter{}, forge.Page{After: "1990", Limit: 5}),
	} {
		require.LessOrEqual(t, got, 20, name)
	}
}

// TestSmallAppends checks that lines which come one by one share chunks.
func TestSmallAppends(t *testing.T) {
	t.Parallel()
	log, text := new(actionLog), strings.Repeat("x", 80)
	for i := range int64(10_000) {
		var err error
		log, err = log.append(i, []forge.Line{{Text: text}})
		require.NoError(t, err)
	}
	require.Less(t, len(log.chunks), 8)
	require.Less(t, log.size, tailSize)
	log, err := log.sealed()
	require.NoError(t, err)
	require.Empty(t, log.tail)
	for _, from := range []int64{0, 1, 5000, 9999} {
		lines, err := log.piece(from)
		require.NoError(t, err)
		require.Equal(t, from, lines[0].Number)
	}
}

// TestLogMemory is not parallel, as it measures the memory of the process.
func TestLogMemory(t *testing.T) {
	const count, batch, limit = 1_000_000, 5000, 64 << 20
	before := heap()
	log := new(actionLog)
	lines := make([]forge.Line, batch)
	for from := int64(0); from < count; from += batch {
		for i := range lines {
			lines[i] = forge.Line{Time: time.Now(), Type: forge.LineOutput, Text: fmt.Sprintf("%-80d", from+int64(i))}
		}
		var err error
		log, err = log.append(from, lines)
		require.NoError(t, err)
	}
	compressed := 0
	for _, c := range log.chunks {
		compressed += len(c.data)
	}
	grown := int(heap()) - int(before)
	t.Logf("%d MiB in chunks, %d KiB beside", compressed>>20, (grown-compressed)>>10)
	require.Less(t, grown-compressed, limit)
	runtime.KeepAlive(log)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
