package forge

import (
	"context"
	"iter"
	"slices"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// Keys looks after the public keys that may log in to servers.
type Keys struct{ f *Forge }

// KeyOpts are the options of Keys.Add.
type KeyOpts struct {
	Name           string // required
	Public         string // one authorized_keys line, without options
	Labels         map[string]string
	IdempotencyKey string
}

// Add adds a key. It puts it on no server: see Sync. Keys are ed25519, ecdsa,
// rsa of 2048 to 8192 bits, or such of a security key.
func (s *Keys) Add(ctx context.Context, opts KeyOpts) (*Key, error) {
	if _, err := s.f.ask(ctx, "Keys.Add"); err != nil {
		return nil, err
	}
	if err := s.f.checkOwner(); err != nil {
		return nil, err
	}
	var v values
	public, err := validate.PublicKey("public", opts.Public)
	v.text("", err)
	key := &Key{
		ID: newID(), Owner: s.f.owner,
		Name:           v.text(validate.DisplayName("name", opts.Name)),
		Labels:         v.labels(opts.Labels),
		IdempotencyKey: v.optional("idempotency_key", opts.IdempotencyKey, validate.IdempotencyKey),
		Type:           public.Type, Public: public.Line, Comment: public.Comment, Fingerprint: public.Fingerprint,
	}
	if v.err != nil {
		return nil, v.err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		known, err := madeBefore(t.Keys(), key.IdempotencyKey, KeyFilter{Owner: key.Owner, IdempotencyKey: key.IdempotencyKey},
			key.Owner, func(k *Key) string { return k.Owner })
		if err != nil {
			return err
		}
		if known != nil {
			key = known
			return nil
		}
		key.Created = t.Now()
		return t.Keys().Insert(key)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Get returns a key.
func (s *Keys) Get(ctx context.Context, id string) (k *Key, err error) {
	if _, err := s.f.ask(ctx, "Keys.Get", Subject{SubjectKey, id}); err != nil {
		return nil, err
	}
	err = s.f.core.Store.View(ctx, func(tx Tx) error {
		k, err = s.f.key(tx, id)
		return err
	})
	return k, err
}

func (f *Forge) key(tx Tx, id string) (*Key, error) {
	k, err := tx.Keys().Get(id)
	return scoped(f, "key", id, k, func(k *Key) string { return k.Owner }, err)
}

// List returns a page of the keys that the filter selects.
func (s *Keys) List(ctx context.Context, filter KeyFilter, page Page) ([]*Key, error) {
	if _, err := s.f.ask(ctx, "Keys.List"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Key, error) { return tx.Keys().List(filter, page) })
}

// All yields every key that the filter selects, page by page.
func (s *Keys) All(ctx context.Context, filter KeyFilter) iter.Seq2[*Key, error] {
	return asking(ctx, s.f, "Keys.All", nil, func(f *Forge) iter.Seq2[*Key, error] {
		return all(func(page Page) ([]*Key, error) { return f.Keys.List(ctx, filter, page) },
			func(k *Key) string { return k.ID })
	})
}

// Grants returns a page of where keys may log in.
func (s *Keys) Grants(ctx context.Context, filter GrantFilter, page Page) ([]*Grant, error) {
	if _, err := s.f.ask(ctx, "Keys.Grants"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Grant, error) { return tx.Grants().List(filter, page) })
}

// Delete removes a key that no server has. Revoke it first.
func (s *Keys) Delete(ctx context.Context, id string) error {
	if _, err := s.f.ask(ctx, "Keys.Delete", Subject{SubjectKey, id}); err != nil {
		return err
	}
	return s.f.core.update(ctx, func(t *txn) error {
		key, err := s.f.key(t, id)
		if err != nil {
			return err
		}
		grants, err := t.Grants().List(GrantFilter{Key: id, Status: liveGrants()}, Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(grants) > 0 {
			return badState("the key is %s on server %s; revoke it first", grants[0].Status, grants[0].Server)
		}
		t.Emit(Event{Owner: key.Owner, Type: EventRemoved, Subject: Subject{SubjectKey, key.ID}})
		return t.Keys().Delete(id)
	})
}

// liveGrants are the states in which a server may let a key in.
func liveGrants() []GrantStatus {
	return []GrantStatus{GrantPending, GrantSynced, GrantFailed, GrantRevoking}
}

// SyncOpts say where a key is put to or taken from.
type SyncOpts struct {
	Servers []string // ids; at least one
	User    string   // unix user. Defaults to "forge".
}

// subjects are the records that the options name, after the key.
func (o SyncOpts) subjects(keyID string) []Subject {
	all := []Subject{{SubjectKey, keyID}}
	for _, id := range o.Servers {
		all = append(all, Subject{SubjectServer, id})
	}
	return all
}

// Sync lets a key log in to servers. The action has a part for each server, and
// the state of each is in its grant.
func (s *Keys) Sync(ctx context.Context, keyID string, opts SyncOpts) (*Action, error) {
	if _, err := s.f.ask(ctx, "Keys.Sync", opts.subjects(keyID)...); err != nil {
		return nil, err
	}
	return s.change(ctx, keyID, opts, KindSyncKeys, KindSyncKey, GrantPending)
}

// Revoke takes a key away from servers where it was synced.
func (s *Keys) Revoke(ctx context.Context, keyID string, opts SyncOpts) (*Action, error) {
	if _, err := s.f.ask(ctx, "Keys.Revoke", opts.subjects(keyID)...); err != nil {
		return nil, err
	}
	return s.change(ctx, keyID, opts, KindRevokeKeys, KindRevokeKey, GrantRevoking)
}

// change moves the grants of a key and asks for the work on each server.
func (s *Keys) change(ctx context.Context, keyID string, opts SyncOpts, kind, part Kind, to GrantStatus) (*Action, error) {
	if opts.User == "" {
		opts.User = "forge"
	}
	user, err := loginUser(opts.User)
	if err != nil {
		return nil, asInvalid(err)
	}
	servers := slices.Compact(slices.Sorted(slices.Values(opts.Servers)))
	if len(servers) == 0 {
		return nil, invalid("servers", "must name at least one server")
	}
	var parent *Action
	err = s.f.core.update(ctx, func(t *txn) error {
		key, err := s.f.key(t, keyID)
		if err != nil {
			return err
		}
		parent = &Action{Owner: key.Owner, Actor: s.f.actor, Kind: kind,
			Subject: Subject{SubjectKey, key.ID}, Input: Input{Keys: []string{key.ID}, User: user}}
		if err := s.f.core.insert(t, parent); err != nil {
			return err
		}
		for _, id := range servers {
			srv, err := s.f.activeServer(t, id)
			if err != nil {
				return err
			}
			if err := s.f.changeGrant(t, key, srv, user, parent.ID, part, to); err != nil {
				return err
			}
		}
		parent, err = t.Actions().Get(parent.ID)
		return err
	})
	return parent, err
}

// changeGrant moves the grant of a key on one server, and inserts the action
// that brings the server in step. It supersedes what was asked for this grant
// before.
func (f *Forge) changeGrant(t *txn, key *Key, srv *Server, user, parent string, part Kind, to GrantStatus) error {
	found, err := t.Grants().List(GrantFilter{Key: key.ID, Server: srv.ID, User: user}, Page{Limit: 1})
	if err != nil {
		return err
	}
	var g *Grant
	switch {
	case len(found) > 0:
		g = found[0]
	case to == GrantRevoking:
		return notFound("grant", key.Fingerprint+" of "+user+" on "+srv.Name)
	default:
		g = &Grant{ID: newID(), Owner: key.Owner, Key: key.ID, Server: srv.ID, User: user, Created: t.Now()}
		if err := t.Grants().Insert(g); err != nil {
			return err
		}
	}
	if err := f.core.supersede(t, g.Action); err != nil {
		return err
	}
	a := &Action{Owner: key.Owner, Actor: f.actor, Kind: part, Parent: parent, Server: srv.ID,
		Subject: Subject{SubjectGrant, g.ID}, Input: Input{Keys: []string{key.ID}, User: user},
		Locks: []string{serverLock(srv.ID)}}
	if err := f.core.insert(t, a); err != nil {
		return err
	}
	g.Action, g.Failure = a.ID, ""
	if err := moveGrant(t, g, to); err != nil {
		return err
	}
	return t.Grants().Update(g)
}

// supersede ends an action as a newer one takes its place. What has begun is
// cancelled, as a retry of it would undo the newer one.
func (c *core) supersede(t *txn, id string) error {
	if id == "" {
		return nil
	}
	a, err := orNone(t.Actions().Get(id))
	switch {
	case a == nil:
		return err
	case a.Status == ActionPending:
		return c.setStatus(t, a, ActionSuperseded)
	}
	return c.cancel(t, a)
}
