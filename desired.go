package forge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

// desired is who is to be let in on one server, as the grants have it.
type desired struct {
	server *Server
	grants []*Grant
}

func desiredOf(tx Tx, server string) (*desired, error) {
	srv, err := tx.Servers().Get(server)
	if err != nil {
		return nil, err
	}
	return desiredOn(tx, srv)
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

// same reports whether nothing was asked for since, and nothing has ended.
func (d *desired) same(since *desired) bool {
	return slices.Equal(d.server.controlKeys(), since.server.controlKeys()) &&
		slices.EqualFunc(d.grants, since.grants, func(a, b *Grant) bool {
			return a.ID == b.ID && a.Action == b.Action && a.Status == b.Status && a.Wanted == b.Wanted
		})
}

// settled reports whether nothing is under way that will change the grant.
func (g *Grant) settled() bool { return g.Status != GrantPending && g.Status != GrantRevoking }

// material is the key in its line without options, which alone sshd compares: the
// word before it may be another name of its kind.
func material(public string) string {
	words := strings.Fields(public)
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// unreadFiles says why files were not read, by their users. What is in them, nobody
// knows.
type unreadFiles map[string]error

func (u unreadFiles) err() error {
	if len(u) == 0 {
		return nil
	}
	var why []string
	for _, user := range slices.Sorted(maps.Keys(u)) {
		why = append(why, user+": "+u[user].Error())
	}
	return fmt.Errorf("read the keys of %s", strings.Join(why, "; "))
}

// differ returns how what is on the server differs from what was granted. A change
// that is under way is no difference.
func (d *desired) differ(only string, files []authorizedkeys.File) (found []KeyDrift, unread unreadFiles) {
	there := map[string]map[string]bool{} // by user, material
	unread = unreadFiles{}
	for _, file := range files {
		if only != "" && file.User != only {
			continue
		}
		if file.Err != nil && (d.wants(file.User) || !errors.Is(file.Err, authorizedkeys.ErrNoUser)) {
			unread[file.User] = file.Err
			continue
		}
		there[file.User] = map[string]bool{}
		for _, line := range file.Lines {
			there[file.User][line.Base64] = true
			if k, differs := d.line(file.User, line); differs {
				found = append(found, k)
			}
		}
	}
	for _, g := range d.grants {
		if !g.Wanted || !g.settled() || only != "" && g.User != only || there[g.User][material(g.Public)] || unread[g.User] != nil {
			continue
		}
		found = append(found, KeyDrift{User: g.User, State: DriftMissing, Key: g.Key, Fingerprint: fingerprint(g.Public)})
	}
	return found, unread
}

func (d *desired) wants(user string) bool {
	return slices.ContainsFunc(d.grants, func(g *Grant) bool { return g.User == user && g.Wanted })
}

// line says what is wrong with a line, if anything is.
func (d *desired) line(user string, line authorizedkeys.Line) (k KeyDrift, differs bool) {
	k = KeyDrift{
		User: user, State: DriftUnknown, Fingerprint: line.Fingerprint,
		Options: line.Options, Comment: line.Comment, Line: line.Number,
	}
	own := func(public string) bool { return material(public) == line.Base64 }
	if user == d.server.User && slices.ContainsFunc(d.server.controlKeys(), own) {
		return k, false
	}
	differs = !line.Unmanaged
	for _, g := range d.grants {
		if g.User != user || material(g.Public) != line.Base64 {
			continue
		}
		if g.Wanted || !g.settled() {
			return k, false
		}
		k.State, k.Key, differs = DriftReturned, g.Key, true
	}
	return k, differs
}
