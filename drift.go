package forge

import (
	"context"
	"iter"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

// DriftState is how a key on a server differs from what was granted.
type DriftState string

// The differences.
const (
	DriftMissing  DriftState = "missing"  // granted, and not there any more
	DriftUnknown  DriftState = "unknown"  // there, and never granted: somebody added it by hand
	DriftReturned DriftState = "returned" // there again, after it was revoked
)

// KeyDrift is one key that differs.
type KeyDrift struct {
	User        string // unix user
	State       DriftState
	Key         string // id of the key, where it was ever granted there
	Fingerprint string // SHA256
	Options     string // of the line, as "from=..."; at most 4 KiB
	Comment     string // of the line, at most 255 bytes; whoever wrote it may claim what he likes
	Line        int    // in the file, from 1; 0 where it is missing
}

// Drift is how the keys on one server differ from what was granted.
type Drift struct {
	Server string // id
	Name   string
	Keys   []KeyDrift // none where all is as it should be
	// Err says why the server, or a file on it, could not be looked at.
	Err error
}

const (
	driftAtOnce  = 64
	driftTimeout = 20 * time.Second // for one server
	driftLooks   = 5                // at one server, where something is changed meanwhile
)

// Drift compares the keys on servers with what was granted, and yields each server
// as its answer comes, at most 64 of them being asked at once. It looks at the
// selector's user, or else at every user with a file of keys; on a bare server, at
// the login user and those with a grant. It changes nothing: see Enforce.
//
// Keys that are marked by the word forge:unmanaged in their line's comment are none
// of forge's business, unless they were revoked. An error that is yielded ends the
// sequence; a server that cannot be asked has one of its own.
func (s *Keys) Drift(ctx context.Context, on Selector) iter.Seq2[*Drift, error] {
	return asking(ctx, s.f, "Keys.Drift", on.subjects(), func(f *Forge) iter.Seq2[*Drift, error] {
		return func(yield func(*Drift, error) bool) {
			wanted, err := f.desired(ctx, on)
			if err != nil {
				yield(nil, err)
				return
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			found := make(chan *Drift)
			var asked errgroup.Group
			asked.SetLimit(driftAtOnce)
			go func() {
				defer close(found)
				for _, d := range wanted {
					asked.Go(func() error {
						select {
						case found <- f.core.drift(ctx, d, on.User):
						case <-ctx.Done():
						}
						return nil
					})
				}
				_ = asked.Wait()
			}()
			open := true
			for d := range found {
				if open = open && yield(d, nil); !open {
					cancel()
				}
			}
			if open && ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
			}
		}
	})
}

// desired is who is to be let in on the servers that are selected.
func (f *Forge) desired(ctx context.Context, on Selector) (wanted []*desired, err error) {
	if err := on.check(); err != nil {
		return nil, asInvalid(err)
	}
	err = f.core.Store.View(ctx, func(tx Tx) error {
		wanted = nil
		servers, err := on.servers(tx, f, f.owner)
		if err != nil {
			return err
		}
		for _, srv := range servers {
			d, err := desiredOn(tx, srv)
			if err != nil {
				return err
			}
			wanted = append(wanted, d)
		}
		return nil
	})
	return wanted, err
}

func (c *core) drift(ctx context.Context, d *desired, only string) *Drift {
	found := &Drift{Server: d.server.ID, Name: d.server.Name}
	if found.Err = d.server.mustBe(ServerActive); found.Err != nil {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, driftTimeout)
	defer cancel()
	for range driftLooks {
		files, err := c.readKeys(ctx, d, only)
		if err != nil {
			found.Err = c.maskExit(context.WithoutCancel(ctx), d.server, "root", err)
			return found
		}
		var unread unreadFiles
		found.Keys, unread = d.differ(only, files)
		if found.Err = unread.err(); len(found.Keys) == 0 {
			return found
		}
		var now *desired
		err = c.Store.View(ctx, func(tx Tx) (err error) {
			now, err = desiredOf(tx, d.server.ID)
			return err
		})
		if err != nil {
			found.Keys, found.Err = nil, err
			return found
		}
		if now.same(d) {
			return found
		}
		d = now // something was changed between the two, which is no difference
	}
	return found
}

// readKeys reads the files that tell who is let in on a server, all of them.
func (c *core) readKeys(ctx context.Context, d *desired, only string) ([]authorizedkeys.File, error) {
	files, more, err := c.keyFiles(ctx, d.server, d.users(only))
	if err == nil && more > 0 {
		err = badState("%d files more than can be looked at in one go; select a user", more)
	}
	return files, err
}

// keyFiles reads the files of users, or of all where no one is named, and says how
// many there are more than can be read at once.
func (c *core) keyFiles(ctx context.Context, srv *Server, users []string) (files []authorizedkeys.File, more int, err error) {
	cmd, listing, err := authorizedkeys.Read{Home: srv.Bare, Users: users}.Command()
	if err != nil {
		return nil, 0, err
	}
	if _, err := c.client(srv).Run(ctx, cmd); err != nil {
		return nil, 0, authorizedkeys.Explain(err)
	}
	return listing.Files()
}

// fingerprint is that of a key in authorized_keys format, or empty.
func fingerprint(public string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}
