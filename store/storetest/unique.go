package storetest

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

func testUnique(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"ServerIdempotency": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Servers, "idempotency_key",
				func(r *forge.Server) { r.Owner, r.IdempotencyKey = "ann", "k'1" },
				func(r *forge.Server) { r.Owner = "bob" },
				func(r *forge.Server) { r.Owner = "" },
				func(r *forge.Server) { r.IdempotencyKey = "K'1" })
		},
		"SiteIdempotency": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Sites, "idempotency_key",
				func(r *forge.Site) { r.Owner, r.IdempotencyKey = "ann", "k1" },
				func(r *forge.Site) { r.Owner = "bob" },
				func(r *forge.Site) { r.IdempotencyKey = "k2" })
		},
		"KeyIdempotency": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Keys, "idempotency_key",
				func(r *forge.Key) { r.Owner, r.IdempotencyKey = "ann", "k1" },
				func(r *forge.Key) { r.Owner = "bob" },
				func(r *forge.Key) { r.IdempotencyKey = "k2" })
		},
		"ActionIdempotency": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Actions, "idempotency_key",
				func(r *forge.Action) { r.Owner, r.IdempotencyKey = "ann", "k1" },
				func(r *forge.Action) { r.Owner = "bob" },
				func(r *forge.Action) { r.IdempotencyKey = "k2" })
		},
		"Fingerprint": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Keys, "fingerprint",
				func(r *forge.Key) { r.Owner, r.Fingerprint = "ann", "SHA256:x" },
				func(r *forge.Key) { r.Owner = "bob" },
				func(r *forge.Key) { r.Fingerprint = "SHA256:X" })
		},
		"Grant": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Grants, "key",
				func(r *forge.Grant) { r.Key, r.Server, r.User = "k", "s", "u" },
				func(r *forge.Grant) { r.Key = "k2" },
				func(r *forge.Grant) { r.Server = "s2" },
				func(r *forge.Grant) { r.User = "u2" })
		},
		"Domain": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Sites, "domain",
				func(r *forge.Site) { r.Server, r.Domain = "s", "example.com" },
				func(r *forge.Site) { r.Server = "s2" },
				func(r *forge.Site) { r.Domain = "www.example.com" })
		},
		"Alias": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Sites, "domain",
				func(r *forge.Site) { r.Server, r.Aliases = "s", []string{"a.example", "b.example"} },
				func(r *forge.Site) { r.Server = "s2" },
				func(r *forge.Site) { r.Aliases = []string{"c.example"} })
		},
		"DeliveryKey": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Deliveries, "key",
				func(r *forge.Delivery) { r.Site, r.Key = "s", "k1" },
				func(r *forge.Delivery) { r.Site = "s2" },
				func(r *forge.Delivery) { r.Key = "K1" })
		},
		"DeliveryDigest": func(t *testing.T, s forge.Store) {
			testTaken(t, s, forge.Tx.Deliveries, "digest",
				func(r *forge.Delivery) { r.Site, r.Digest = "s", "d1" },
				func(r *forge.Delivery) { r.Site = "s2" },
				func(r *forge.Delivery) { r.Digest = "d2" })
		},
		"DomainAndAlias": testDomainAndAlias,
		"Pending":        testOneDeployment(forge.DeploymentPending, forge.DeploymentPending, forge.DeploymentRunning),
		"Running":        testOneDeployment(forge.DeploymentRunning, forge.DeploymentRunning, forge.DeploymentPending),
		"Cancelling":     testOneDeployment(forge.DeploymentCancelling, forge.DeploymentRunning, forge.DeploymentFinished),
		"Deployments":    testDeployments,
		"Racing":         testRacing,
		"RacingLook":     testRacingLook,
		"GoesOn":         testGoesOn,
		"NoIdempotency":  testNoIdempotency,
	})
}

// testTaken checks that only one record can have what taken sets, and that
// records which the others change can be beside it.
func testTaken[T, F any](t *testing.T, s forge.Store, table of[T, F], field string, taken func(*T), others ...func(*T)) {
	t.Helper()
	r := seeded(t)
	made := func() *T {
		record := random[T](r)
		taken(record)
		return record
	}
	first, second, free := made(), made(), random[T](r)
	insert(t, s, table, first, free)
	for _, change := range others {
		other := made()
		change(other)
		insert(t, s, table, other)
	}
	requireConflict(t, s.Update(t.Context(), func(tx forge.Tx) error { return table(tx).Insert(second) }), field)

	taken(free)
	requireConflict(t, s.Update(t.Context(), func(tx forge.Tx) error { return table(tx).Update(free) }), field)

	update(t, s, func(tx forge.Tx) error { return table(tx).Update(first) })
	update(t, s, func(tx forge.Tx) error {
		if err := table(tx).Delete(*idOf(first)); err != nil {
			return err
		}
		return table(tx).Insert(second)
	})
	moved := random[T](r)
	*idOf(moved) = *idOf(second)
	update(t, s, func(tx forge.Tx) error {
		if err := table(tx).Update(moved); err != nil {
			return err
		}
		return table(tx).Update(free)
	})
}

func testDomainAndAlias(t *testing.T, s forge.Store) {
	site := func(domain string, aliases ...string) *forge.Site {
		return &forge.Site{ID: id(), Server: "s", Domain: domain, Aliases: aliases}
	}
	insert(t, s, forge.Tx.Sites, site("a.example", "b.example", "c.example"))
	for _, other := range []*forge.Site{site("c.example"), site("d.example", "a.example"), site("e.example", "f.example", "b.example")} {
		err := s.Update(t.Context(), func(tx forge.Tx) error { return tx.Sites().Insert(other) })
		requireConflict(t, err, "domain")
	}
	insert(t, s, forge.Tx.Sites, site("d.example", "e.example", "f.example"))
}

// testOneDeployment checks that a deployment with a status keeps out another
// one, and not a third.
func testOneDeployment(has, refused, allowed forge.DeploymentStatus) func(*testing.T, forge.Store) {
	return func(t *testing.T, s forge.Store) {
		testTaken(t, s, forge.Tx.Deployments, "status",
			func(d *forge.Deployment) { d.Site, d.Status = "s", has },
			func(d *forge.Deployment) { d.Site = "s2" },
			func(d *forge.Deployment) { d.Status = allowed })
		update(t, s, func(tx forge.Tx) error {
			all, err := tx.Deployments().List(forge.DeploymentFilter{Site: "s", Status: []forge.DeploymentStatus{has}}, forge.Page{})
			require.Len(t, all, 1)
			return err
		})
		other := &forge.Deployment{ID: id(), Site: "s", Status: refused}
		requireConflict(t, s.Update(t.Context(), func(tx forge.Tx) error { return tx.Deployments().Insert(other) }), "status")
	}
}

// testDeployments takes a site's deployments through their states.
func testDeployments(t *testing.T, s forge.Store) {
	deployment := func(status forge.DeploymentStatus) *forge.Deployment {
		return &forge.Deployment{ID: id(), Site: "s", Status: status}
	}
	to := func(d *forge.Deployment, status forge.DeploymentStatus) error {
		return s.Update(t.Context(), func(tx forge.Tx) error {
			d := d.Clone()
			d.Status = status
			return tx.Deployments().Update(d)
		})
	}
	one, two := deployment(forge.DeploymentPending), deployment(forge.DeploymentPending)
	insert(t, s, forge.Tx.Deployments, one)
	require.NoError(t, to(one, forge.DeploymentRunning))
	insert(t, s, forge.Tx.Deployments, two)
	requireConflict(t, to(two, forge.DeploymentRunning), "status")
	require.NoError(t, to(one, forge.DeploymentCancelling))
	requireConflict(t, to(two, forge.DeploymentRunning), "status")
	require.NoError(t, to(one, forge.DeploymentCancelled))
	require.NoError(t, to(two, forge.DeploymentRunning))
	for range 3 {
		insert(t, s, forge.Tx.Deployments, deployment(forge.DeploymentFinished))
	}
	requireConflict(t, to(one, forge.DeploymentCancelling), "status")
}

// testRacing has many insert what only one can.
func testRacing(t *testing.T, s forge.Store) {
	const racers, rounds = 8, 10
	for _, status := range []forge.DeploymentStatus{forge.DeploymentPending, forge.DeploymentRunning} {
		for range rounds {
			site := id()
			won := make(chan string, racers)
			var group errgroup.Group
			for range racers {
				group.Go(func() error {
					d := &forge.Deployment{ID: id(), Site: site, Status: status}
					err := s.Update(t.Context(), func(tx forge.Tx) error { return tx.Deployments().Insert(d) })
					if err == nil {
						won <- d.ID
						return nil
					}
					return onlyConflict(err)
				})
			}
			require.NoError(t, group.Wait())
			require.Len(t, won, 1)
			all := list(t, s, forge.Tx.Deployments, forge.DeploymentFilter{Site: site}, forge.Page{})
			require.Len(t, all, 1)
			require.Equal(t, <-won, all[0].ID)
		}
	}
}

// testRacingLook has many look before they insert or change what only one can,
// so that none meets a conflict: those who come later see what the first one did.
func testRacingLook(t *testing.T, s forge.Store) {
	const racers, rounds = 6, 10
	race := func(fn func(tx forge.Tx, racer string) error) {
		var group errgroup.Group
		for range racers {
			racer := id()
			group.Go(func() error {
				return s.Update(t.Context(), func(tx forge.Tx) error { return fn(tx, racer) })
			})
		}
		require.NoError(t, group.Wait())
	}
	for range rounds {
		key, domain, site := id(), id(), id()
		race(func(tx forge.Tx, racer string) error {
			f := forge.ActionFilter{Owner: "ann", IdempotencyKey: key}
			if found, err := tx.Actions().List(f, forge.Page{}); err != nil || len(found) > 0 {
				return err
			}
			return tx.Actions().Insert(&forge.Action{ID: racer, Owner: "ann", IdempotencyKey: key})
		})
		race(func(tx forge.Tx, _ string) error {
			if _, err := tx.Locks().Get(key); !errors.Is(err, forge.ErrNotFound) {
				return err
			}
			return tx.Locks().Insert(&forge.Lock{Key: key})
		})
		race(func(tx forge.Tx, racer string) error {
			if found, err := tx.Sites().List(forge.SiteFilter{Domain: domain}, forge.Page{}); err != nil || len(found) > 0 {
				return err
			}
			return tx.Sites().Insert(&forge.Site{ID: racer, Server: "s", Domain: racer, Aliases: []string{domain}})
		})
		race(func(tx forge.Tx, racer string) error {
			return tx.Deployments().Insert(&forge.Deployment{ID: racer, Site: site, Status: forge.DeploymentFinished})
		})
		race(func(tx forge.Tx, _ string) error {
			all, err := tx.Deployments().List(forge.DeploymentFilter{Site: site}, forge.Page{})
			if err != nil {
				return err
			}
			for _, d := range all {
				if d.Status == forge.DeploymentRunning {
					return nil
				}
			}
			d := all[rand.IntN(len(all))]
			d.Status = forge.DeploymentRunning
			return tx.Deployments().Update(d)
		})
	}
}

// testGoesOn checks that a transaction goes on after a conflict, without the
// record that was refused.
func testGoesOn(t *testing.T, s forge.Store) {
	first := &forge.Server{ID: id(), Owner: "ann", IdempotencyKey: "k"}
	refused := &forge.Server{ID: id(), Owner: "ann", IdempotencyKey: "k"}
	after := &forge.Server{ID: id(), Owner: "ann"}
	insert(t, s, forge.Tx.Servers, first)
	update(t, s, func(tx forge.Tx) error {
		requireConflict(t, tx.Servers().Insert(refused), "idempotency_key")
		found, err := tx.Servers().List(forge.ServerFilter{Owner: "ann", IdempotencyKey: "k"}, forge.Page{})
		require.NoError(t, err)
		require.Len(t, found, 1)
		return tx.Servers().Insert(after)
	})
	all := list(t, s, forge.Tx.Servers, forge.ServerFilter{}, forge.Page{})
	require.Len(t, all, 2)
	require.Equal(t, first.ID, all[0].ID)
	require.Equal(t, after.ID, all[1].ID)
}

// testNoIdempotency checks that no idempotency key is none to be unique.
func testNoIdempotency(t *testing.T, s forge.Store) {
	for range 2 {
		insert(t, s, forge.Tx.Servers, &forge.Server{ID: id(), Owner: "ann"})
		insert(t, s, forge.Tx.Sites, &forge.Site{ID: id(), Owner: "ann", Server: id()})
		insert(t, s, forge.Tx.Keys, &forge.Key{ID: id(), Owner: "ann", Fingerprint: id()})
		insert(t, s, forge.Tx.Actions, &forge.Action{ID: id(), Owner: "ann"})
	}
}
