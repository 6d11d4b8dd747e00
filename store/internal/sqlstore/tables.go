package sqlstore

import (
	"slices"

	"github.com/seed-797f2c2c/forge"
)

var (
	servers = schema[forge.Server, forge.ServerFilter]{
		table: "servers", record: "server", where: serversWhere,
		id: func(r *forge.Server) *string { return &r.ID }, fields: (*Dialect).server,
	}
	keys = schema[forge.Key, forge.KeyFilter]{
		table: "keys", record: "key", where: keysWhere,
		id: func(r *forge.Key) *string { return &r.ID }, fields: (*Dialect).key,
	}
	grants = schema[forge.Grant, forge.GrantFilter]{
		table: "grants", record: "grant", where: grantsWhere,
		id: func(r *forge.Grant) *string { return &r.ID }, fields: (*Dialect).grant,
	}
	deployments = schema[forge.Deployment, forge.DeploymentFilter]{
		table: "deployments", record: "deployment", where: deploymentsWhere,
		id: func(r *forge.Deployment) *string { return &r.ID }, fields: (*Dialect).deployment,
	}
	deliveries = schema[forge.Delivery, forge.DeliveryFilter]{
		table: "deliveries", record: "delivery", where: deliveriesWhere,
		id: func(r *forge.Delivery) *string { return &r.ID }, fields: (*Dialect).delivery,
	}
	locks = schema[forge.Lock, forge.LockFilter]{
		table: "locks", record: "lock", where: locksWhere,
		id: func(r *forge.Lock) *string { return &r.Key }, fields: (*Dialect).lock,
	}
	actions = schema[forge.Action, forge.ActionFilter]{
		table: "actions", record: "action", where: actionsWhere,
		id: func(r *forge.Action) *string { return &r.ID }, fields: (*Dialect).action,
		remove: func(d *Dialect, id string) []Stmt { return []Stmt{d.dropLog(id)} },
	}
	sites = schema[forge.Site, forge.SiteFilter]{
		table: "sites", record: "site", where: sitesWhere,
		id: func(r *forge.Site) *string { return &r.ID }, fields: (*Dialect).site,
		beside: (*Dialect).writeDomains,
		remove: func(d *Dialect, id string) []Stmt { return []Stmt{d.dropDomains(id)} },
	}
)

// A site's domain and its aliases are rows of a table beside, by which they are
// unique on a server and found.
const hasDomain = `"id" IN (SELECT "site" FROM {site_domains} WHERE "domain" = ?)`

func (d *Dialect) writeDomains(s *forge.Site) []Stmt {
	stmts := []Stmt{d.dropDomains(clean(s.ID))}
	names := append([]string{s.Domain}, s.Aliases...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		stmts = append(stmts, d.sql(`INSERT INTO {site_domains} ("server", "domain", "site") VALUES (?, ?, ?)`,
			clean(s.Server), clean(name), clean(s.ID)))
	}
	return stmts
}

func (d *Dialect) dropDomains(site string) Stmt {
	return d.sql(`DELETE FROM {site_domains} WHERE "site" = ?`, site)
}
