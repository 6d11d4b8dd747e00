package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/validate"
)

// EnforceOpts are the options of Keys.Enforce.
type EnforceOpts struct {
	// Unknown also removes the keys that were never granted, but for those marked
	// by the word forge:unmanaged in their line's comment.
	Unknown bool
	// Keep are keys that Unknown does not remove, in authorized_keys format.
	Keep []string
}

// Enforce brings the keys on servers in step with what was granted: those that are
// missing are added, those that came back after a revoke are removed, whatever
// their line's comment says. It looks where Drift does. Forge's own control key
// stays in any case.
//
// The action has a part for each server, whose log says what was changed. Servers
// that are not active are refused where they are named, and passed over otherwise.
func (s *Keys) Enforce(ctx context.Context, on Selector, opts *EnforceOpts) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Keys.Enforce", on.subjects()...); err != nil {
		return nil, err
	}
	if err := on.check(); err != nil {
		return nil, asInvalid(err)
	}
	input := Input{User: on.User}
	if opts != nil {
		input.Unknown, input.Keep = opts.Unknown, slices.Clone(opts.Keep)
	}
	for i, line := range input.Keep {
		public, err := validate.PublicKey(fmt.Sprintf("keep[%d]", i), line)
		if err != nil {
			return nil, asInvalid(err)
		}
		input.Keep[i] = public.Line
	}
	return s.f.everywhere(ctx, on, KindEnforceKeys, KindEnforceServer, input)
}

// everywhere asks for a part on each of the servers that are selected.
func (f *Forge) everywhere(ctx context.Context, on Selector, kind, part Kind, input Input) (action *Action, err error) {
	err = f.core.update(ctx, func(t *txn) error {
		servers, err := on.servers(t, f, f.owner)
		if err != nil {
			return err
		}
		c := f.newChanges(kind, f.owner, Subject{}, input)
		for _, srv := range servers {
			if err := c.server(srv, part, input, on.named()); err != nil {
				return err
			}
		}
		if len(servers) == 0 {
			c.said = append(c.said, noneSelected)
		}
		action, err = c.begin(t)
		return err
	})
	return action, err
}

// enforce reads what is on the server, and changes what differs.
func (c *core) enforce(ctx context.Context, w *work) error {
	var d *desired
	err := w.view(ctx, func(tx Tx) (err error) {
		d, err = desiredOf(tx, w.action.Server)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "keys"); err != nil {
		return err
	}
	only := w.action.Input.User
	if err := c.reach(ctx, w, d.server); err != nil {
		return err
	}
	files, err := c.readKeys(ctx, d, only)
	if err != nil {
		return err
	}
	found, unread := d.differ(only, files)
	w.done = func(t *txn) error { return d.enforced(t, only) }
	changes := d.changes(found, w.action.Input)
	if len(changes) == 0 {
		return unread.err()
	}
	cmd, err := changes.Command()
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	result, err := c.client(d.server).Run(ctx, cmd)
	if result == nil {
		return authorizedkeys.Explain(err)
	}
	outcomes, readErr := authorizedkeys.Outcomes(result.Stdout)
	if readErr == nil {
		readErr = w.say(ctx, d.report(outcomes))
	}
	if err := authorizedkeys.Explain(err); err != nil {
		return err
	}
	if readErr != nil {
		return readErr
	}
	return unread.err()
}

// changes are what brings the users with a difference in step.
func (d *desired) changes(found []KeyDrift, input Input) (changes authorizedkeys.Changes) {
	byUser := map[string]*authorizedkeys.Change{}
	for _, k := range found {
		if k.State == DriftUnknown && !input.Unknown || byUser[k.User] != nil {
			continue
		}
		change := &authorizedkeys.Change{User: k.User, Home: d.server.Bare, Unknown: input.Unknown}
		byUser[k.User] = change
		if input.Unknown {
			change.Keep = slices.Clone(input.Keep)
			if k.User == d.server.User {
				change.Keep = append(change.Keep, d.server.controlKeys()...)
			}
		}
		revoked := map[string]string{} // lines by their material
		var stays []string
		for _, g := range d.grants {
			switch {
			case g.User != k.User:
				continue
			case !g.settled(): // its own action sees to it
				change.Keep = append(change.Keep, g.Public)
			case g.Wanted:
				change.Add = append(change.Add, authorizedkeys.Key{ID: g.Key, Line: g.Public})
			default:
				revoked[material(g.Public)] = g.Public
				continue
			}
			stays = append(stays, material(g.Public))
		}
		for _, key := range stays { // the same key was granted more than once
			delete(revoked, key)
		}
		change.Remove = slices.Sorted(maps.Values(revoked))
	}
	for _, user := range slices.Sorted(maps.Keys(byUser)) {
		changes = append(changes, *byUser[user])
	}
	return changes
}

// report says what was changed, a line for each key.
func (d *desired) report(outcomes []authorizedkeys.Outcome) string {
	var lines []string
	for _, o := range outcomes {
		for what, changed := range map[string][]authorizedkeys.Line{"added": o.Added, "removed": o.Removed} {
			for _, line := range changed {
				lines = append(lines, fmt.Sprintf("%s %s for %s", what, line.Fingerprint, o.User))
			}
		}
		switch {
		case o.Err != nil:
			lines = append(lines, fmt.Sprintf("nothing was changed for %s: %v", o.User, o.Err))
		case o.Omitted > 0:
			lines = append(lines, fmt.Sprintf("and %d more for %s", o.Omitted, o.User))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// enforced brings the grants that had failed in step with the server, unless they
// were changed since.
func (d *desired) enforced(t *txn, only string) error {
	for _, was := range d.grants {
		g, err := orNone(t.Grants().Get(was.ID))
		if err != nil {
			return err
		}
		if g == nil || g.Status != GrantFailed || g.Action != was.Action || only != "" && g.User != only {
			continue
		}
		through := []GrantStatus{GrantRevoking, GrantRevoked}
		if g.Failure = ""; was.Wanted {
			through, g.Synced = []GrantStatus{GrantPending, GrantSynced}, t.Now()
		}
		if err := putGrant(t, g, through...); err != nil {
			return err
		}
	}
	return nil
}
