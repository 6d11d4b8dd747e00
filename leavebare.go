package forge

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// What forge put on a bare server is the lines with its marks in the files of keys.
// A key that was there before it was granted has no mark, and stays.

// granted are the ids of the keys that were granted on a server, by unix user.
func (w *work) granted(ctx context.Context, srv *Server) (ids map[string][]string, err error) {
	err = w.view(ctx, func(tx Tx) error {
		ids = map[string][]string{}
		for g, err := range grantsIn(tx, GrantFilter{Server: srv.ID}) {
			if err != nil {
				return err
			}
			ids[g.User] = append(ids[g.User], g.Key)
		}
		return nil
	})
	return ids, err
}

// checkBare is a script that fails where nobody would get in without forge's keys.
func (w *work) checkBare(ctx context.Context, srv *Server) (string, error) {
	granted, err := w.granted(ctx, srv)
	if err != nil {
		return "", err
	}
	var words []string
	for _, ids := range granted {
		for _, id := range ids {
			words = append(words, "forge:"+id)
		}
	}
	for _, key := range srv.controlKeys() {
		words = append(words, strings.Fields(key)[1])
	}
	return stack.CheckBare(srv.User, words)
}

// takeKeys takes the keys that were granted away from a bare server.
func (c *core) takeKeys(ctx context.Context, w *work, srv *Server) error {
	if err := w.stage(ctx, stageKeys); err != nil {
		return err
	}
	granted, err := w.granted(ctx, srv)
	if err != nil {
		return err
	}
	const most = 200 // files in one answer
	for users := range slices.Chunk(slices.Sorted(maps.Keys(granted)), most) {
		changes, err := c.markedKeys(ctx, srv, users, granted)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			continue
		}
		if err := c.changeKeys(ctx, w, srv, changes...); err != nil {
			return err
		}
	}
	return nil
}

// markedKeys reads the files of users, and returns the changes that take away what
// was granted there. Users and homes may be gone.
func (c *core) markedKeys(ctx context.Context, srv *Server, users []string, granted map[string][]string) (authorizedkeys.Changes, error) {
	var changes authorizedkeys.Changes
	files, _, err := c.keyFiles(ctx, srv, users)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if errors.Is(file.Err, authorizedkeys.ErrNoUser) || errors.Is(file.Err, authorizedkeys.ErrNoHome) {
			continue
		}
		if file.Err != nil {
			return nil, file.Err
		}
		change := authorizedkeys.Change{User: file.User, Home: true}
		for _, line := range file.Lines {
			if slices.Contains(granted[file.User], line.ID) {
				change.Remove = append(change.Remove, line.Type+" "+line.Base64)
			}
		}
		if len(change.Remove) > 0 {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// controlKeys are the public halves of all keys by which a server may let forge in,
// with the one that is used as the last.
func (s *Server) controlKeys() (keys []string) {
	for _, key := range []string{s.OldPublicKey, s.NextPublicKey, s.PublicKey} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// leaving makes a change of keys remove also what else forge has on the server,
// when it is done, and go to its end when nobody listens.
const leaving = `$SIG{HUP} = $SIG{PIPE} = 'IGNORE';
END { $? ||= system(qw(rm -rf -- /var/lib/forge /run/forge)) >> 8 }
`

// leaveBare is the last command on a bare server that stays.
func (s *Server) leaveBare() (sshexec.Command, error) {
	change := s.loginKeys()
	change.Remove = s.controlKeys()
	cmd, err := change.Command()
	cmd.Script, cmd.Stdout = leaving+cmd.Script, io.Discard
	return cmd, err
}
