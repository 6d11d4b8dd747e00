package forge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

// desired is who is to be let in on one server, as the grants have it.
type desired struct {
	server *Server
	grants []*Grant
}

func desiredOn(tx Tx, srv *Server) (*desired, error) {
	d := &desired{server: srv}
	for g, err := range grantsIn(tx, GrantFilter{Server: srv.ID}) {
		if err != nil {
			return nil, err
		}
		known, err := g.complete(tx)
		if err != nil {
			return nil, err
		}
		if known {
			d.grants = append(d.grants, g)
		}
	}
	return d, nil
}

// complete adds what an older version did not write, and reports whether the key is
// known.
func (g *Grant) complete(tx Tx) (known bool, err error) {
	if g.Public != "" {
		return true, nil
	}
	key, err := orNone(tx.Keys().Get(g.Key))
	if key == nil {
		return false, err
	}
	g.Public, g.Wanted = key.Public, g.Status == GrantPending || g.Status == GrantSynced
	return true, nil
}

// users are those whose files are looked at: the given one, or those that forge has
// to do with. Where all files are in one place, nil means every one that is there.
func (d *desired) users(only string) []string {
	if only != "" {
		return []string{only}
	}
	if !d.server.Bare {
		return nil
	}
	users := []string{d.server.User}
	for _, g := range d.grants {
		users = append(users, g.User)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// settled reports whether nothing is under way that will change the grant.
func (g *Grant) settled() bool { return g.Status != GrantPending && g.Status != GrantRevoking }

// differ returns how what is on the server differs from what was granted. A change
// that is under way is no difference.
func (d *desired) differ(only string, files []authorizedkeys.File) (found []KeyDrift, err error) {
	there := map[string]map[string]bool{} // by user, key
	var unread []string
	for _, file := range files {
		if only != "" && file.User != only {
			continue
		}
		if file.Err != nil {
			if d.wants(file.User) {
				unread = append(unread, file.User+": "+file.Err.Error())
			}
			continue
		}
		there[file.User] = map[string]bool{}
		for _, line := range file.Lines {
			public := line.Type + " " + line.Base64
			there[file.User][public] = true
			if k, differs := d.line(file.User, public, line); differs {
				found = append(found, k)
			}
		}
	}
	for _, g := range d.grants {
		if !g.Wanted || !g.settled() || only != "" && g.User != only || there[g.User][g.Public] || unreadFile(files, g.User) {
			continue
		}
		found = append(found, KeyDrift{User: g.User, State: DriftMissing, Key: g.Key, Fingerprint: fingerprint(g.Public)})
	}
	if len(unread) > 0 {
		err = fmt.Errorf("read the keys of %s", strings.Join(unread, "; "))
	}
	return found, err
}

func unreadFile(files []authorizedkeys.File, user string) bool {
	return slices.ContainsFunc(files, func(f authorizedkeys.File) bool { return f.User == user && f.Err != nil })
}

func (d *desired) wants(user string) bool {
	return slices.ContainsFunc(d.grants, func(g *Grant) bool { return g.User == user && g.Wanted })
}

// line says what is wrong with a line, if anything is.
func (d *desired) line(user, public string, line authorizedkeys.Line) (k KeyDrift, differs bool) {
	k = KeyDrift{User: user, State: DriftUnknown, Key: line.ID, Fingerprint: line.Fingerprint, Comment: line.Comment, Line: line.Number}
	if user == d.server.User && slices.ContainsFunc(d.server.controlKeys(), func(own string) bool { return strings.HasPrefix(own+" ", public+" ") }) {
		return k, false
	}
	differs = !line.Unmanaged
	for _, g := range d.grants {
		if g.User != user || g.Public != public {
			continue
		}
		if g.Wanted || !g.settled() {
			return k, false
		}
		k.State, k.Key, differs = DriftReturned, g.Key, true
	}
	return k, differs
}
