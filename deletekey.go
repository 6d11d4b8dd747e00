package forge

import (
	"context"
	"fmt"
	"strings"
)

// Delete removes a key. It is revoked first on every server that may let it in, for
// every unix user; where that fails, or cannot be done as the server is archived,
// the action fails, says where, and the key stays. What the servers had stays known
// in the grants. A key that no server has is gone when Delete returns.
func (s *Keys) Delete(ctx context.Context, id string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Keys.Delete", Subject{SubjectKey, id}); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		key, err := s.f.key(t, id)
		if err != nil {
			return err
		}
		action, err = deletion(t, key)
		if err != nil || action != nil {
			return err
		}
		c := s.f.newChanges(KindDeleteKey, key.Owner, Subject{SubjectKey, id}, Input{Keys: []string{id}})
		for g, err := range grantsIn(t, GrantFilter{Key: id, Status: liveGrants()}) {
			if err != nil {
				return err
			}
			srv, err := t.Servers().Get(g.Server)
			if err != nil {
				return err
			}
			if err := c.grant(t, srv, g, g.revocation(), false); err != nil {
				return err
			}
		}
		action, err = c.begin(t)
		return err
	})
	return action, err
}

// deletion is the open action that deletes a key, or nil.
func deletion(tx Tx, key *Key) (*Action, error) {
	return firstAction(tx, ActionFilter{Subject: Subject{SubjectKey, key.ID}, Kind: KindDeleteKey, Open: true})
}

// notDeleted refuses to give a key that is being taken away for good.
func notDeleted(tx Tx, key *Key) error {
	a, err := deletion(tx, key)
	if err != nil || a == nil {
		return err
	}
	return badState("the key is being deleted by action %s: cancel that first", a.ID)
}

// dropKey removes the key that an action revoked everywhere, or says where it may
// still be let in.
func (c *core) dropKey(t *txn, a *Action) (*Failure, error) {
	key, err := orNone(t.Keys().Get(a.Subject.ID))
	if key == nil {
		return nil, err
	}
	var where []string
	for g, err := range grantsIn(t, GrantFilter{Key: key.ID, Status: liveGrants()}) {
		if err != nil {
			return nil, err
		}
		srv, err := t.Servers().Get(g.Server)
		if err != nil {
			return nil, err
		}
		if where = append(where, fmt.Sprintf("%s (%s, where it is %s)", srv.Name, srv.Status, g.Status)); len(where) == maxNamed {
			break
		}
	}
	if len(where) > 0 {
		return &Failure{Reason: ReasonChild, Message: "the key stays, as it could not be revoked on: " + strings.Join(where, ", ")}, nil
	}
	t.Emit(Event{Owner: key.Owner, Type: EventRemoved, Subject: a.Subject, Action: a.ID})
	return nil, t.Keys().Delete(key.ID)
}
