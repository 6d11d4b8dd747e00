package postgres_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// list is one that the public API offers, or the engine asks for.
type list struct {
	list lister
	rows int  // of its table
	time bool // selects by time, as what removes what is old does from the first page on
}

// lists are those of a populated store.
func lists(p *populated) map[string]*list {
	n := p.n
	server, site := numbered(n/2+1), numbered(n+n/2+1)
	early := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	live := map[string]string{"env": "live"}
	test := map[string]string{"env": "test"}
	team := map[string]string{"env": "live", "team": "7"}
	running := []forge.ActionStatus{forge.ActionRunning}
	some := []forge.DeploymentStatus{forge.DeploymentRunning, forge.DeploymentFailed, forge.DeploymentCancelled}
	all := make(map[string]*list)
	add := func(table string, rows int, lists map[string]lister) {
		for name, l := range lists {
			all[table+name] = &list{l, rows, strings.Contains(name, " old") || strings.Contains(name, " came")}
		}
	}
	add("servers", n, map[string]lister{
		"": servers(forge.ServerFilter{}), " of an owner": servers(forge.ServerFilter{Owner: "big"}),
		" by name":              servers(forge.ServerFilter{Name: "web-77"}),
		" by name of an owner":  servers(forge.ServerFilter{Owner: "big", Name: "web-76"}),
		" of a provider":        servers(forge.ServerFilter{Provider: "hetzner"}),
		" of most providers":    servers(forge.ServerFilter{Owner: "big", Provider: "digitalocean"}),
		" by status":            servers(forge.ServerFilter{Status: []forge.ServerStatus{forge.ServerError}}),
		" by two":               servers(forge.ServerFilter{Status: []forge.ServerStatus{forge.ServerError, forge.ServerPending}}),
		" of an owner, status":  servers(forge.ServerFilter{Owner: "big", Status: []forge.ServerStatus{forge.ServerPending}}),
		" with a label":         servers(forge.ServerFilter{Labels: live}),
		" with a seldom one":    servers(forge.ServerFilter{Owner: "big", Labels: test}),
		" with two labels":      servers(forge.ServerFilter{Labels: team}),
		" by idempotency":       servers(forge.ServerFilter{Owner: "big", IdempotencyKey: "x"}),
		" by a label of nobody": servers(forge.ServerFilter{Labels: map[string]string{"no": "where"}}),
	})
	add("sites", 2*n, map[string]lister{
		"": sites(forge.SiteFilter{}), " of an owner": sites(forge.SiteFilter{Owner: "big"}),
		" of a server":           sites(forge.SiteFilter{Server: server}),
		" of a server and owner": sites(forge.SiteFilter{Owner: "big", Server: numbered(n/2 + 2)}),
		" by domain":             sites(forge.SiteFilter{Domain: "site-77.example.com"}),
		" by status":             sites(forge.SiteFilter{Status: []forge.SiteStatus{"failed"}}),
		" of an owner, status":   sites(forge.SiteFilter{Owner: "big", Status: []forge.SiteStatus{"failed", "pending"}}),
		" with a label":          sites(forge.SiteFilter{Owner: "big", Labels: live}),
		" with a seldom one":     sites(forge.SiteFilter{Labels: test}),
		" with two labels":       sites(forge.SiteFilter{Owner: "owner-7", Labels: team}),
	})
	add("keys", n/5, map[string]lister{
		"": keys(forge.KeyFilter{}), " of an owner": keys(forge.KeyFilter{Owner: "big"}),
		" by fingerprint": keys(forge.KeyFilter{Fingerprint: "SHA256:7"}), " with a label": keys(forge.KeyFilter{Labels: map[string]string{"team": "7"}}),
	})
	add("grants", 4*n, map[string]lister{
		"": grants(forge.GrantFilter{}), " of an owner": grants(forge.GrantFilter{Owner: "big"}),
		" of a key": grants(forge.GrantFilter{Key: numbered(n / 10)}), " of a server": grants(forge.GrantFilter{Server: server}),
		" of a user": grants(forge.GrantFilter{User: "root"}), " by status": grants(forge.GrantFilter{Status: []forge.GrantStatus{forge.GrantFailed}}),
		" of an owner, status": grants(forge.GrantFilter{Owner: "big", Status: []forge.GrantStatus{forge.GrantFailed, forge.GrantPending}}),
	})
	add("deployments", 100*n, map[string]lister{
		"": deployments(forge.DeploymentFilter{}), " of an owner": deployments(forge.DeploymentFilter{Owner: "big"}),
		" of a small owner":    deployments(forge.DeploymentFilter{Owner: "owner-7"}),
		" of a site":           deployments(forge.DeploymentFilter{Site: site}),
		" of a site and owner": deployments(forge.DeploymentFilter{Owner: "big", Site: numbered(n + n/2 + 2)}),
		" of a foreign site":   deployments(forge.DeploymentFilter{Owner: "owner-7", Site: numbered(n + n/2 + 2)}),
		" of a server":         deployments(forge.DeploymentFilter{Server: server}),
		" that run":            deployments(forge.DeploymentFilter{Status: []forge.DeploymentStatus{forge.DeploymentRunning}}),
		" that finished":       deployments(forge.DeploymentFilter{Status: []forge.DeploymentStatus{forge.DeploymentFinished}}),
		" that failed":         deployments(forge.DeploymentFilter{Status: []forge.DeploymentStatus{forge.DeploymentFailed}}),
		" of an owner, failed": deployments(forge.DeploymentFilter{Owner: "big", Status: []forge.DeploymentStatus{forge.DeploymentFailed}}),
		" of an owner, open":   deployments(forge.DeploymentFilter{Owner: "big", Status: []forge.DeploymentStatus{forge.DeploymentRunning, forge.DeploymentPending}}),
		" of an owner, none":   deployments(forge.DeploymentFilter{Owner: "owner-8", Status: []forge.DeploymentStatus{forge.DeploymentSuperseded}}),
		" by statuses":         deployments(forge.DeploymentFilter{Status: some}),
		" of a site, failed":   deployments(forge.DeploymentFilter{Site: site, Status: some}),
		" that are old":        deployments(forge.DeploymentFilter{EndedBefore: early.Add(time.Hour)}),
		" that ended":          deployments(forge.DeploymentFilter{EndedBefore: early.Add(time.Duration(98*n) * time.Second)}),
	})
	add("actions", 100*n, map[string]lister{
		"": actions(forge.ActionFilter{}), " of an owner": actions(forge.ActionFilter{Owner: "big"}),
		" of a kind":              actions(forge.ActionFilter{Kind: forge.KindDeploy}),
		" of a seldom kind":       actions(forge.ActionFilter{Kind: forge.KindReboot}),
		" of an owner, kind":      actions(forge.ActionFilter{Owner: "owner-7", Kind: forge.KindReboot}),
		" of no kind":             actions(forge.ActionFilter{Owner: "big", Kind: forge.KindValidate}),
		" about a site":           actions(forge.ActionFilter{Subject: forge.Subject{Kind: forge.SubjectSite, ID: site}}),
		" about servers":          actions(forge.ActionFilter{Subject: forge.Subject{Kind: forge.SubjectServer}}),
		" about keys":             actions(forge.ActionFilter{Subject: forge.Subject{Kind: forge.SubjectKey}}),
		" on a server":            actions(forge.ActionFilter{Server: server}),
		" on a server, open":      actions(forge.ActionFilter{Server: server, Kind: forge.KindReboot, Status: []forge.ActionStatus{forge.ActionPending}}),
		" of a parent":            actions(forge.ActionFilter{Parent: numbered(1)}),
		" that are open":          actions(forge.ActionFilter{Open: true}),
		" of an owner, open":      actions(forge.ActionFilter{Owner: "big", Open: true}),
		" about a site, open":     actions(forge.ActionFilter{Subject: forge.Subject{ID: site}, Open: true}),
		" that run":               actions(forge.ActionFilter{Status: running}),
		" of an owner, running":   actions(forge.ActionFilter{Owner: "owner-7", Status: running}),
		" that failed":            actions(forge.ActionFilter{Status: []forge.ActionStatus{forge.ActionFailed, forge.ActionCancelled}}),
		" of an owner, failed":    actions(forge.ActionFilter{Owner: "big", Status: []forge.ActionStatus{forge.ActionFailed}}),
		" of an owner, cancelled": actions(forge.ActionFilter{Owner: "big", Status: []forge.ActionStatus{forge.ActionCancelled}}),
		" that wait":              actions(forge.ActionFilter{Waits: "lock"}),
		" that are due":           actions(forge.ActionFilter{Due: early.Add(time.Duration(200*n) * time.Second)}),
		" of the dead":            actions(forge.ActionFilter{Expired: early.Add(time.Duration(200*n) * time.Second)}),
		" that are old":           actions(forge.ActionFilter{EndedBefore: early.Add(time.Hour)}),
		" with an old log":        actions(forge.ActionFilter{EndedBefore: early.Add(time.Hour), HasLog: true}),
	})
	add("deliveries", 20*n, map[string]lister{
		"": deliveries(forge.DeliveryFilter{}), " of an owner": deliveries(forge.DeliveryFilter{Owner: "big"}),
		" of a site": deliveries(forge.DeliveryFilter{Site: site}), " by key": deliveries(forge.DeliveryFilter{Site: site, Key: "key-1"}),
		" by digest": deliveries(forge.DeliveryFilter{Site: site, Digest: "digest-1"}),
		" that came": deliveries(forge.DeliveryFilter{CreatedBefore: early.Add(time.Hour)}),
	})
	return all
}

// pages are the first, a middle and the last page, both ways.
func (l *list) pages() map[string]forge.Page {
	if l.time {
		return map[string]forge.Page{"first": {}}
	}
	return map[string]forge.Page{
		"first": {}, "middle": {After: numbered(l.rows / 2)}, "last": {After: numbered(l.rows - l.rows/100)},
		"newest": {Newest: true}, "older": {Newest: true, After: numbered(l.rows / 2)}, "oldest": {Newest: true, After: numbered(l.rows / 100)},
	}
}

// plan is a node of what EXPLAIN says.
type plan struct {
	Node    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Index   string  `json:"Index Name"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Below   []plan  `json:"Plans"`
}

// read is how many rows were looked at in tables.
func (p *plan) read(seen func(*plan)) (rows float64) {
	seen(p)
	if p.Table != "" {
		rows = (p.Rows + p.Removed) * p.Loops
	}
	for i := range p.Below {
		rows += p.Below[i].read(seen)
	}
	return rows
}

// TestListsUseIndexes looks at the plan of every list. None reads a whole table,
// nor many more rows than are in the page.
func TestListsUseIndexes(t *testing.T) {
	t.Parallel()
	const large = 1000
	p := populate(t, 400)
	all := lists(p)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for which, page := range all[name].pages() {
			view(t, p, func(tx forge.Tx) error {
				_, err := all[name].list(tx, page)
				return err
			})
			var text []byte
			require.NoError(t, p.pool.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+p.sent.sql, p.sent.args...).Scan(&text))
			var plans []struct{ Plan plan }
			require.NoError(t, json.Unmarshal(text, &plans))
			whole := ""
			rows := plans[0].Plan.read(func(n *plan) {
				if n.Node == "Seq Scan" {
					whole = n.Table
				}
			})
			if rows > large || whole != "" && all[name].rows > large {
				t.Errorf("the %s page of %s reads %.0f rows (all of %q):\n%s\n%s", which, name, rows, whole, p.sent.sql, text)
			}
		}
	}
}

// BenchmarkLists measures a page of every list among a million deployments.
func BenchmarkLists(b *testing.B) {
	p := populate(b, 10_000)
	all := lists(p)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.Run(name, func(b *testing.B) {
			spent := make(map[string]time.Duration)
			for b.Loop() {
				for which, page := range all[name].pages() {
					began := time.Now()
					view(b, p, func(tx forge.Tx) error {
						_, err := all[name].list(tx, page)
						return err
					})
					spent[which] += time.Since(began)
				}
			}
			for which, d := range spent {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(b.N), which+"-ms")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
