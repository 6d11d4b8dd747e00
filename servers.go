package forge

import (
	"context"
	"iter"

	"github.com/seed-797f2c2c/forge/provider"
)

// Servers looks after servers.
type Servers struct{ f *Forge }

// Get returns a server.
func (s *Servers) Get(ctx context.Context, id string) (srv *Server, err error) {
	if _, err := s.f.ask(ctx, "Servers.Get", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	err = s.f.core.Store.View(ctx, func(tx Tx) error {
		srv, err = s.f.server(tx, id)
		return err
	})
	return srv, err
}

func (f *Forge) server(tx Tx, id string) (*Server, error) {
	srv, err := tx.Servers().Get(id)
	return scoped(f, "server", id, srv, func(s *Server) string { return s.Owner }, err)
}

// List returns a page of the servers that the filter selects.
func (s *Servers) List(ctx context.Context, filter ServerFilter, page Page) ([]*Server, error) {
	if _, err := s.f.ask(ctx, "Servers.List"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Server, error) { return tx.Servers().List(filter, page) })
}

// All yields every server that the filter selects, page by page.
func (s *Servers) All(ctx context.Context, filter ServerFilter) iter.Seq2[*Server, error] {
	return asking(ctx, s.f, "Servers.All", nil, func(f *Forge) iter.Seq2[*Server, error] {
		return all(func(page Page) ([]*Server, error) { return f.Servers.List(ctx, filter, page) },
			func(srv *Server) string { return srv.ID })
	})
}

// Create asks for a server and returns it with the action that makes it: its
// parts are provision_server, which makes the machine, and install_stack. The
// server is active when the action is finished.
//
// With an idempotency key that was used before, it returns what was made then.
func (s *Servers) Create(ctx context.Context, opts ServerOpts) (*Server, *Action, error) {
	if _, err := s.f.ask(ctx, "Servers.Create"); err != nil {
		return nil, nil, err
	}
	c := s.f.core
	if err := s.f.checkOwner(); err != nil {
		return nil, nil, err
	}
	made, p, err := c.newServer(s.f.owner, opts)
	if err != nil {
		return nil, nil, err
	}
	if err := c.sealServer(ctx, made, p.Properties().InjectsHostKey); err != nil {
		return nil, nil, err
	}
	var srv *Server
	var action *Action
	err = c.update(ctx, func(t *txn) error {
		srv = made.Clone()
		known, err := madeBefore(t.Servers(), srv.IdempotencyKey, ServerFilter{Owner: srv.Owner, IdempotencyKey: srv.IdempotencyKey},
			srv.Owner, func(s *Server) string { return s.Owner })
		if err != nil {
			return err
		}
		if known != nil {
			srv = known
			action, err = firstAction(t, ActionFilter{Subject: Subject{SubjectServer, srv.ID}, Kind: KindCreateServer})
			return err
		}
		srv.Created = t.Now()
		srv.Updated, srv.ControlKeyMade = srv.Created, srv.Created
		if err := moveServer(t, srv, ServerPending, ""); err != nil {
			return err
		}
		if err := t.Servers().Insert(srv); err != nil {
			return err
		}
		action, err = s.f.startServer(t, srv, KindProvision)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return srv, action, nil
}

// startServer inserts a create_server action that begins with the given part.
func (f *Forge) startServer(t *txn, srv *Server, first Kind) (*Action, error) {
	parent := &Action{Owner: srv.Owner, Actor: f.actor, Kind: KindCreateServer,
		Subject: Subject{SubjectServer, srv.ID}, Server: srv.ID}
	if err := f.core.insert(t, parent); err != nil {
		return nil, err
	}
	err := f.core.insert(t, &Action{Owner: srv.Owner, Actor: f.actor, Kind: first, Parent: parent.ID,
		Subject: parent.Subject, Server: srv.ID, Locks: []string{serverLock(srv.ID)}})
	if err != nil {
		return nil, err
	}
	return t.Actions().Get(parent.ID)
}

func firstAction(tx Tx, filter ActionFilter) (*Action, error) {
	found, err := tx.Actions().List(filter, Page{Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Retry takes a server in state ServerError up where it failed: a machine that
// was not made is asked for again, and an install goes on at the failed step.
func (s *Servers) Retry(ctx context.Context, id string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Servers.Retry", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.server(t, id)
		if err != nil {
			return err
		}
		if err := srv.mustBe(ServerError); err != nil {
			return err
		}
		made, err := firstAction(t, ActionFilter{
			Subject: Subject{SubjectServer, id}, Kind: KindProvision, Status: []ActionStatus{ActionFinished},
		})
		if err != nil {
			return err
		}
		first := KindProvision
		if made != nil {
			first = KindInstallStack
		}
		if err := noneOpen(t, ActionFilter{Server: id}); err != nil {
			return err
		}
		action, err = s.f.startServer(t, srv, first)
		return err
	})
	return action, err
}

// DeleteOpts are the options of Servers.Delete.
type DeleteOpts struct {
	// Force deletes also while a deployment runs, which is then cancelled; and
	// forgets a server of one's own that does not answer, or cannot be cleaned.
	Force bool
}

// Delete removes a server at its provider, with all its sites. What runs on it
// is cancelled first. The record stays, in state ServerDeleted.
//
// A machine that existed before forge is given back: its sites go, with their
// users and homes, and so do the user forge, forge's keys and configuration of
// sshd, nginx and FPM, and whatever file the stack wrote; a file that it changed
// is put back, unless somebody else has changed it since. The keys in the homes
// of users count again. Packages stay with their sources, and so do databases
// with their data and settings, the firewall, the time zone, the modes of
// directories, and what own steps made. A bare server has nothing left but what was
// there. It is refused where nobody could log in over SSH afterwards, unless it is
// forced.
func (s *Servers) Delete(ctx context.Context, id string, opts *DeleteOpts) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Servers.Delete", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	force := opts != nil && opts.Force
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.server(t, id)
		if err != nil {
			return err
		}
		action, err = s.f.core.startDelete(t, srv, s.f.actor, force)
		return err
	})
	return action, err
}

// provider returns the provider of a name.
func (c *core) provider(name string) (provider.Provider, error) {
	if p := c.Providers[name]; p != nil {
		return p, nil
	}
	return nil, &Error{Class: ErrInvalid, Field: "provider", Rule: "is not one of Config.Providers"}
}
