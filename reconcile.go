package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-797f2c2c/forge/provider"
)

// ReconcileOpts say what Servers.Reconcile does about what it finds. The zero
// value changes nothing.
type ReconcileOpts struct {
	// Adopt has servers that never learnt of their machine take it, if nothing
	// is under way on them; Servers.Retry goes on with it.
	Adopt bool
	// Delete removes orphans and doubles at the provider. What has been adopted
	// is neither.
	Delete bool
}

// Reconciliation is what Servers.Reconcile found, in the order of the servers'
// ids.
type Reconciliation struct {
	// Missing are servers whose machine is not at the provider any more.
	Missing []*Server
	// Orphans are machines that no server has: its record is deleted or was
	// never here.
	Orphans []*provider.Machine
	// Lost are machines whose server does not know that they were made.
	Lost []*provider.Machine
	// Doubles are machines of servers that have another one.
	Doubles []*provider.Machine
	// Adopted and Deleted are the ids of machines, as the provider has them.
	Adopted, Deleted []string
}

// Reconcile compares the machines that bear forge's label at a provider with the
// servers in the store. It looks at nothing else there. It is for all owners, so
// on a Forge with an owner it is an error of class ErrState.
//
// The label tells one installation's machines from another's: two that share an
// account need different ones, as to each the other's machines are orphans.
func (s *Servers) Reconcile(ctx context.Context, name string, opts *ReconcileOpts) (*Reconciliation, error) {
	if _, err := s.f.ask(ctx, "Servers.Reconcile", Subject{SubjectProvider, name}); err != nil {
		return nil, err
	}
	if s.f.scoped {
		return nil, badState("only a Forge without an owner knows all servers of a provider")
	}
	p, err := s.f.core.provider(name)
	if err != nil {
		return nil, err
	}
	l, ok := p.(provider.Lister)
	if !ok || p.Properties().Existing {
		return nil, badState("the provider %q cannot list what forge made there", name)
	}
	r := &reconciler{core: s.f.core, name: name, provider: p, opts: *cmp.Or(opts, &ReconcileOpts{})}
	// Several providers of Config may be one account, so servers of all count. A server's record is there before its machine: what is listed first and
	// has no record then is not on its way.
	machines, err := l.List(ctx)
	if err != nil {
		return nil, providerError(ctx, err)
	}
	servers := make(map[string]*Server)
	for srv, err := range s.f.unasked().Servers.All(ctx, ServerFilter{}) {
		if err != nil {
			return nil, err
		}
		servers[srv.ID] = srv
	}
	if err := r.compare(ctx, machines, servers); err != nil {
		return nil, err
	}
	return &r.found, r.act(ctx, servers)
}

type reconciler struct {
	core     *core
	name     string
	provider provider.Provider
	opts     ReconcileOpts
	found    Reconciliation
}

// compare finds out whose the machines are, and which are not there.
func (r *reconciler) compare(ctx context.Context, machines []*provider.Machine, servers map[string]*Server) error {
	listed := make(map[string]bool, len(machines))
	for _, m := range machines {
		listed[m.ID] = true
	}
	slices.SortFunc(machines, func(a, b *provider.Machine) int {
		return cmp.Or(cmp.Compare(a.SpecID, b.SpecID), cmp.Compare(a.ID, b.ID))
	})
	taken := make(map[string]bool)
	for _, m := range machines {
		switch srv := servers[m.SpecID]; {
		case srv == nil || srv.Status == ServerDeleted:
			r.found.Orphans = append(r.found.Orphans, m)
		case srv.Status == ServerDeleting, srv.ProviderID == m.ID:
		case srv.ProviderID == "" && !taken[srv.ID]:
			taken[srv.ID] = true
			r.found.Lost = append(r.found.Lost, m)
		default:
			r.found.Doubles = append(r.found.Doubles, m)
		}
	}
	for _, srv := range servers {
		if srv.Provider != r.name || srv.ProviderID == "" || listed[srv.ProviderID] || srv.Status == ServerDeleting || srv.Status == ServerDeleted {
			continue
		}
		// A list may be behind.
		_, err := r.provider.Get(ctx, srv.ProviderID)
		if err != nil && !errors.Is(err, provider.ErrNotFound) {
			return providerError(ctx, err)
		}
		if err != nil {
			r.found.Missing = append(r.found.Missing, srv)
		}
	}
	slices.SortFunc(r.found.Missing, func(a, b *Server) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// act does what was asked for. A machine that it could not see to does not keep
// it from the others.
func (r *reconciler) act(ctx context.Context, servers map[string]*Server) error {
	var errs []error
	if r.opts.Adopt {
		for _, m := range r.found.Lost {
			adopted, err := r.adopt(ctx, m)
			if adopted {
				r.found.Adopted = append(r.found.Adopted, m.ID)
			}
			errs = append(errs, err)
		}
	}
	if r.opts.Delete {
		for _, m := range slices.Concat(r.found.Orphans, r.found.Doubles) {
			if srv := servers[m.SpecID]; srv != nil && slices.Contains(r.found.Missing, srv) {
				continue // it is all that is left of that server
			}
			if err := r.provider.Delete(ctx, m.ID); err != nil {
				errs = append(errs, providerError(ctx, fmt.Errorf("delete machine %s: %w", m.ID, err)))
				continue
			}
			r.found.Deleted = append(r.found.Deleted, m.ID)
		}
	}
	return errors.Join(errs...)
}

// adopt gives a server its machine, unless it got one meanwhile or is about to.
func (r *reconciler) adopt(ctx context.Context, m *provider.Machine) (adopted bool, err error) {
	err = r.core.update(ctx, func(t *txn) error {
		adopted = false
		srv, err := orNone(t.Servers().Get(m.SpecID))
		if srv == nil || srv.ProviderID != "" || srv.Status != ServerError {
			return err
		}
		if err := noneOpen(t, ActionFilter{Server: srv.ID}); err != nil {
			if errors.Is(err, ErrState) {
				return nil
			}
			return err
		}
		srv.ProviderID, srv.Updated = m.ID, t.Now()
		adopted = true
		return t.Servers().Update(srv)
	})
	return adopted && err == nil, err
}
