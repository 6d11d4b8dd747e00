package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Sync lets a key log in to servers as a unix user. The action has a part for
// each server, of which [Actions.List] gives the states; Retry takes up what
// failed. The state of each is in its grant as well.
//
// A server that is not active yet gets the key when it is. One that is archived
// or being deleted is refused where it is named, and passed over otherwise, which
// the action's log says.
func (s *Keys) Sync(ctx context.Context, keyID string, on Selector) (*Action, error) {
	if _, err := s.f.ask(ctx, "Keys.Sync", on.subjects(Subject{SubjectKey, keyID})...); err != nil {
		return nil, err
	}
	return s.change(ctx, keyID, on, KindSyncKeys, KindSyncKey)
}

// RevokeOpts are the options of Keys.Revoke.
type RevokeOpts struct {
	// EndSessions ends also the sessions that were begun with the key, with what
	// runs in them. It needs a log of logins on the server.
	EndSessions bool
}

// Revoke takes a key away from servers where it was synced, as Sync gives it. On a
// server that is not active, be it archived, it is done as soon as that is.
func (s *Keys) Revoke(ctx context.Context, keyID string, on Selector, opts *RevokeOpts) (*Action, error) {
	if _, err := s.f.ask(ctx, "Keys.Revoke", on.subjects(Subject{SubjectKey, keyID})...); err != nil {
		return nil, err
	}
	part := KindRevokeKey
	if opts != nil && opts.EndSessions {
		part = KindCutKey
	}
	return s.change(ctx, keyID, on, KindRevokeKeys, part)
}

// change asks for a change of a key on each of the servers.
func (s *Keys) change(ctx context.Context, keyID string, on Selector, kind, part Kind) (parent *Action, err error) {
	if err := on.check(); err != nil {
		return nil, asInvalid(err)
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		key, err := s.f.key(t, keyID)
		if err != nil {
			return err
		}
		servers, err := on.servers(t, s.f, key.Owner)
		if err != nil {
			return err
		}
		granted, err := grantsOf(t, GrantFilter{Key: key.ID, User: on.user()})
		if err != nil {
			return err
		}
		c := s.f.newChanges(kind, key.Owner, Subject{SubjectKey, key.ID}, Input{Keys: []string{key.ID}, User: on.user()})
		for _, srv := range servers {
			g := granted[srv.ID]
			switch {
			case g == nil && part == KindSyncKey:
				g = &Grant{Owner: key.Owner, Key: key.ID, Server: srv.ID, User: on.user(), Public: key.Public}
			case g == nil && on.named():
				return notFound("grant", key.Fingerprint+" of "+on.user()+" on "+srv.Name)
			case part != KindSyncKey && !on.named() && (g == nil || g.Status == GrantRevoked):
				continue
			}
			if err := c.grant(t, srv, g, part, on.named()); err != nil {
				return err
			}
		}
		parent, err = c.begin(t)
		return err
	})
	return parent, err
}

// grantsOf are the grants that the filter selects, by their servers.
func grantsOf(tx Tx, filter GrantFilter) (map[string]*Grant, error) {
	byServer := map[string]*Grant{}
	for g, err := range grantsIn(tx, filter) {
		if err != nil {
			return nil, err
		}
		byServer[g.Server] = g
	}
	return byServer, nil
}

// changes are the parts of an action over many servers in the making.
type changes struct {
	*Forge
	parent *Action
	parts  []*Action
	said   []string // about servers without a part
}

func (f *Forge) newChanges(kind Kind, owner string, subject Subject, input Input) *changes {
	return &changes{Forge: f, parent: &Action{
		ID: newID(), Owner: owner, Actor: f.actor, Kind: kind, Subject: subject, Input: input,
	}}
}

// grant moves a grant on a server to where the part brings it, now or when the
// server is active. It supersedes what was asked for this grant before.
func (c *changes) grant(t *txn, srv *Server, g *Grant, part Kind, named bool) error {
	g.Wanted = part == KindSyncKey
	gone := srv.Status == ServerDeleting || srv.Status == ServerDeleted
	if g.Wanted && (gone || srv.Status == ServerArchived) {
		if named {
			return srv.mustBe(ServerActive)
		}
		c.said = append(c.said, fmt.Sprintf("%s is %s and was passed over", srv.Name, srv.Status))
		return nil
	}
	if g.ID == "" {
		g.ID, g.Created = newID(), t.Now()
		if err := t.Grants().Insert(g); err != nil {
			return err
		}
	}
	if err := c.core.supersede(t, g.Action); err != nil {
		return err
	}
	never := g.Action == "" && g.Synced.IsZero() // nobody ever began to give it
	g.Action, g.Failure = "", ""
	to := GrantRevoking
	switch {
	case g.Wanted:
		to = GrantPending
	case never && srv.Status != ServerActive:
		c.said = append(c.said, srv.Name+" never got the key")
		return putGrant(t, g, GrantRevoking, GrantRevoked)
	}
	if srv.Status != ServerActive {
		g.Failure = fmt.Sprintf("the server is %s; it is done when it is active", srv.Status)
		c.said = append(c.said, fmt.Sprintf("%s is %s: it is done when it is active", srv.Name, srv.Status))
		return putGrant(t, g, to)
	}
	a := grantAction(g, part, c.actor)
	c.parts = append(c.parts, a)
	g.Action = a.ID
	return putGrant(t, g, to)
}

func putGrant(t *txn, g *Grant, through ...GrantStatus) error {
	for _, to := range through {
		if err := moveGrant(t, g, to); err != nil {
			return err
		}
	}
	if g.Status == GrantRevoked {
		g.Revoked = t.Now()
	}
	return t.Grants().Update(g)
}

// grantAction is the part that brings a server in step with a grant.
func grantAction(g *Grant, kind Kind, actor string) *Action {
	return &Action{ID: newID(), Owner: g.Owner, Actor: actor, Kind: kind, Server: g.Server,
		Subject: Subject{SubjectGrant, g.ID}, Input: Input{Keys: []string{g.Key}, User: g.User},
		Locks: []string{serverLock(g.Server)}}
}

// begin inserts the action with its parts. One without parts is finished.
func (c *changes) begin(t *txn) (*Action, error) {
	p := c.parent
	p.Children, p.ChildrenOpen = len(c.parts), len(c.parts)
	if err := c.core.add(t, p); err != nil {
		return nil, err
	}
	if len(c.said) > 0 {
		if err := say(t, p, LineSystem, strings.Join(c.said, "\n")); err != nil {
			return nil, err
		}
		if err := t.Actions().Update(p); err != nil {
			return nil, err
		}
	}
	for _, a := range c.parts {
		a.Parent = p.ID
		if err := c.core.add(t, a); err != nil {
			return nil, err
		}
	}
	emitProgress(t, p)
	if len(c.parts) == 0 {
		if err := moveAction(t, p, ActionRunning); err != nil {
			return nil, err
		}
		p.Started = t.Now()
		if err := c.core.finishParts(t, p); err != nil {
			return nil, err
		}
	}
	return t.Actions().Get(p.ID)
}

// catchUp asks for what was put off until the server would be active.
func (c *core) catchUp(t *txn, srv *Server) error {
	put := map[GrantStatus]Kind{GrantPending: KindSyncKey, GrantRevoking: KindRevokeKey}
	for g, err := range grantsIn(t, GrantFilter{Server: srv.ID, Status: slices.Collect(maps.Keys(put))}) {
		if err != nil {
			return err
		}
		if g.Action != "" {
			continue
		}
		a := grantAction(g, put[g.Status], "")
		g.Action, g.Failure = a.ID, ""
		if err := c.add(t, a); err != nil {
			return err
		}
		if err := t.Grants().Update(g); err != nil {
			return err
		}
	}
	return nil
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
