package memory

import (
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// is reports whether a value is the one that a filter wants, if it wants one.
func is[T comparable](want, have T) bool {
	var whatever T
	return want == whatever || want == have
}

// oneOf reports whether a value is one of those that a filter wants, if any.
func oneOf[T comparable](want []T, have T) bool {
	return len(want) == 0 || slices.Contains(want, have)
}

// labelled reports whether there are all labels that a filter wants.
func labelled(want, have map[string]string) bool {
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			return false
		}
	}
	return true
}

// before reports whether a time, if there is one, is before the one that a
// filter wants, if it wants one.
func before(want, have time.Time) bool {
	return want.IsZero() || !have.IsZero() && have.Before(want)
}

func serverSchema() *schema[forge.Server, forge.ServerFilter] {
	return &schema[forge.Server, forge.ServerFilter]{
		name:  "server",
		id:    func(s *forge.Server) string { return s.ID },
		clone: (*forge.Server).Clone,
		index: func(s *forge.Server) []entry {
			return slices.Concat(
				idempotency(s.Owner, s.IdempotencyKey),
				found("owner", s.Owner),
			)
		},
		query: func(f forge.ServerFilter) (lookup, func(*forge.Server) bool) {
			where := first(among("idempotency_key", f.IdempotencyKey), by("owner", f.Owner))
			return where, func(s *forge.Server) bool {
				return is(f.Owner, s.Owner) && is(f.Name, s.Name) && is(f.Provider, s.Provider) &&
					is(f.IdempotencyKey, s.IdempotencyKey) && oneOf(f.Status, s.Status) && labelled(f.Labels, s.Labels)
			}
		},
	}
}

func siteSchema() *schema[forge.Site, forge.SiteFilter] {
	return &schema[forge.Site, forge.SiteFilter]{
		name:  "site",
		id:    func(s *forge.Site) string { return s.ID },
		clone: (*forge.Site).Clone,
		index: func(s *forge.Site) []entry {
			entries := slices.Concat(
				idempotency(s.Owner, s.IdempotencyKey),
				found("server", s.Server),
				found("owner", s.Owner),
				unique("domain", s.Domain, s.Server),
			)
			for _, alias := range s.Aliases {
				entries = append(entries, unique("domain", alias, s.Server)...)
			}
			return entries
		},
		query: func(f forge.SiteFilter) (lookup, func(*forge.Site) bool) {
			where := first(among("idempotency_key", f.IdempotencyKey), among("domain", f.Domain),
				by("server", f.Server), by("owner", f.Owner))
			return where, func(s *forge.Site) bool {
				return is(f.Owner, s.Owner) && is(f.Server, s.Server) &&
					(is(f.Domain, s.Domain) || slices.Contains(s.Aliases, f.Domain)) &&
					is(f.IdempotencyKey, s.IdempotencyKey) && oneOf(f.Status, s.Status) && labelled(f.Labels, s.Labels)
			}
		},
	}
}

func keySchema() *schema[forge.Key, forge.KeyFilter] {
	return &schema[forge.Key, forge.KeyFilter]{
		name:  "key",
		id:    func(k *forge.Key) string { return k.ID },
		clone: (*forge.Key).Clone,
		index: func(k *forge.Key) []entry {
			return slices.Concat(
				idempotency(k.Owner, k.IdempotencyKey),
				unique("fingerprint", k.Fingerprint, k.Owner),
				found("owner", k.Owner),
			)
		},
		query: func(f forge.KeyFilter) (lookup, func(*forge.Key) bool) {
			where := first(among("idempotency_key", f.IdempotencyKey), among("fingerprint", f.Fingerprint),
				by("owner", f.Owner))
			return where, func(k *forge.Key) bool {
				return is(f.Owner, k.Owner) && is(f.Fingerprint, k.Fingerprint) &&
					is(f.IdempotencyKey, k.IdempotencyKey) && labelled(f.Labels, k.Labels)
			}
		},
	}
}

func grantSchema() *schema[forge.Grant, forge.GrantFilter] {
	return &schema[forge.Grant, forge.GrantFilter]{
		name:  "grant",
		id:    func(g *forge.Grant) string { return g.ID },
		clone: (*forge.Grant).Clone,
		index: func(g *forge.Grant) []entry {
			return slices.Concat(
				unique("key", g.Key, g.Server, g.User),
				found("server", g.Server),
				found("owner", g.Owner),
			)
		},
		query: func(f forge.GrantFilter) (lookup, func(*forge.Grant) bool) {
			where := first(among("key", f.Key), by("server", f.Server), by("owner", f.Owner))
			return where, func(g *forge.Grant) bool {
				return is(f.Owner, g.Owner) && is(f.Key, g.Key) && is(f.Server, g.Server) &&
					is(f.User, g.User) && oneOf(f.Status, g.Status)
			}
		},
	}
}

func deploymentSchema() *schema[forge.Deployment, forge.DeploymentFilter] {
	return &schema[forge.Deployment, forge.DeploymentFilter]{
		name:  "deployment",
		id:    func(d *forge.Deployment) string { return d.ID },
		clone: (*forge.Deployment).Clone,
		index: func(d *forge.Deployment) []entry {
			entries := slices.Concat(
				found("site", d.Site),
				found("server", d.Server),
				found("owner", d.Owner),
				at("ended", d.Finished),
			)
			switch d.Status {
			case forge.DeploymentPending:
				entries = append(entries, unique("status", d.Site, "pending")...)
			case forge.DeploymentRunning, forge.DeploymentCancelling:
				entries = append(entries, unique("status", d.Site, "running")...)
			}
			return entries
		},
		query: func(f forge.DeploymentFilter) (lookup, func(*forge.Deployment) bool) {
			where := first(by("site", f.Site), by("server", f.Server), by("owner", f.Owner), until("ended", f.EndedBefore))
			return where, func(d *forge.Deployment) bool {
				return is(f.Owner, d.Owner) && is(f.Site, d.Site) && is(f.Server, d.Server) && oneOf(f.Status, d.Status) &&
					before(f.EndedBefore, d.Finished)
			}
		},
	}
}

func deliverySchema() *schema[forge.Delivery, forge.DeliveryFilter] {
	return &schema[forge.Delivery, forge.DeliveryFilter]{
		name:  "delivery",
		id:    func(d *forge.Delivery) string { return d.ID },
		clone: (*forge.Delivery).Clone,
		index: func(d *forge.Delivery) []entry {
			return slices.Concat(
				unique("key", d.Site, d.Key),
				unique("digest", d.Site, d.Digest),
				found("site", d.Site),
				found("owner", d.Owner),
				at("created", d.Created),
			)
		},
		query: func(f forge.DeliveryFilter) (lookup, func(*forge.Delivery) bool) {
			where := first(by("key", f.Site, f.Key), by("digest", f.Site, f.Digest), by("site", f.Site), by("owner", f.Owner),
				until("created", f.CreatedBefore))
			return where, func(d *forge.Delivery) bool {
				return is(f.Owner, d.Owner) && is(f.Site, d.Site) && is(f.Key, d.Key) && is(f.Digest, d.Digest) &&
					before(f.CreatedBefore, d.Created)
			}
		},
	}
}

func lockSchema() *schema[forge.Lock, forge.LockFilter] {
	return &schema[forge.Lock, forge.LockFilter]{
		name:  "lock",
		id:    func(l *forge.Lock) string { return l.Key },
		clone: (*forge.Lock).Clone,
		index: func(l *forge.Lock) []entry { return found("holder", l.Holder) },
		query: func(f forge.LockFilter) (lookup, func(*forge.Lock) bool) {
			return by("holder", f.Holder), func(l *forge.Lock) bool { return is(f.Holder, l.Holder) }
		},
	}
}
