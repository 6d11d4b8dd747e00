package forge

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// Sync lets a key log in to servers as a unix user, by default "forge". The action
// has a part for each server, of which [Actions.List] gives the states; Retry takes up
// what failed. The state of each is in its grant as well.
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
	// runs in them, even where the key was revoked before. It needs a log of logins
	// on the server.
	EndSessions bool
}

// Revoke takes a key away from servers where it was synced, as Sync gives it, by
// default from every unix user. On a server that is not active, be it archived, it is
// done as soon as that is. Where another grant lets the same key in, of another owner
// or under another id, the key stays, and its sessions go on.
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

const noneSelected = "there is nothing to do: no server was selected"

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
		if part == KindSyncKey {
			on.User = on.user()
			if err := notDeleted(t, key); err != nil {
				return err
			}
		}
		granted, err := grantsOf(t, GrantFilter{Key: key.ID, User: on.User})
		if err != nil {
			return err
		}
		c := s.f.newChanges(kind, key.Owner, Subject{SubjectKey, key.ID}, Input{Keys: []string{key.ID}, User: on.User})
		for _, srv := range servers {
			grants := granted[srv.ID]
			switch {
			case len(grants) > 0:
			case part == KindSyncKey:
				grants = []*Grant{{Owner: key.Owner, Key: key.ID, Server: srv.ID, User: on.User, Public: key.Public}}
			case on.named():
				return notFound("grant", key.Fingerprint+" of "+cmp.Or(on.User, "any user")+" on "+srv.Name)
			}
			for _, g := range grants {
				if part == KindRevokeKey && g.Status == GrantRevoked && (!on.named() || on.User == "") {
					continue
				}
				if err := c.grant(t, srv, g, part, on.named()); err != nil {
					return err
				}
			}
		}
		switch {
		case len(servers) == 0:
			c.said = append(c.said, noneSelected)
		case len(c.parts)+len(c.said) == 0:
			c.said = append(c.said, fmt.Sprintf("there is nothing to do: none of the %d servers lets the key in", len(servers)))
		}
		parent, err = c.begin(t)
		return err
	})
	return parent, err
}

// grantsOf are the grants that the filter selects, by their servers.
func grantsOf(tx Tx, filter GrantFilter) (map[string][]*Grant, error) {
	byServer := map[string][]*Grant{}
	for g, err := range grantsIn(tx, filter) {
		if err != nil {
			return nil, err
		}
		byServer[g.Server] = append(byServer[g.Server], g)
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
	g.Wanted, g.EndSessions = part == KindSyncKey, part == KindCutKey
	gone := srv.Status == ServerDeleting || srv.Status == ServerDeleted
	if g.Wanted && (gone || srv.Status == ServerArchived) {
		if named {
			return srv.mustBe(ServerActive)
		}
		c.said = append(c.said, fmt.Sprintf("%s is %s and was passed over", srv.Name, srv.Status))
		return nil
	}
	if g.Status == GrantRevoked && !g.Wanted && (gone || srv.Status != ServerActive && !g.EndSessions) {
		c.said = append(c.said, fmt.Sprintf("%s is %s, and was freed of the key before", srv.Name, srv.Status))
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
	for g, err := range grantsIn(t, GrantFilter{Server: srv.ID, Status: []GrantStatus{GrantPending, GrantRevoking}}) {
		if err != nil {
			return err
		}
		if g.Action != "" {
			continue
		}
		part := KindSyncKey
		if g.Status == GrantRevoking {
			part = g.revocation()
		}
		a := grantAction(g, part, "")
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
