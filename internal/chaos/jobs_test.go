package chaos

import (
	"context"
	"crypto/ed25519"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

// jobs are what the workers are kept busy with, until it is quiet.
type jobs struct {
	*world
	lines   int           // of a deployment
	quiet   chan struct{} // closed when there are no more kills
	machine *testmachine.Machine
	server  *forge.Server

	mu      sync.Mutex
	granted []string // public keys that log in
	revoked []string // and that do not any more
}

func (j *jobs) isQuiet() bool {
	select {
	case <-j.quiet:
		return true
	default:
		return false
	}
}

// onMachine makes a machine on this host, and then sites, their deployments, and
// keys there: at least one of each.
func (j *jobs) onMachine(ctx context.Context) error {
	srv, action, err := j.createServer(ctx)
	if err := j.finish(ctx, action, err); err != nil {
		return err
	}
	if j.server, err = j.Servers.Get(ctx, srv.ID); err != nil {
		return err
	}
	if j.machine, err = j.prepare(ctx, j.server); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for range 2 {
		group.Go(func() error { return j.repeat(func() error { return j.site(ctx) }) })
	}
	group.Go(func() error { return j.repeat(func() error { return j.key(ctx) }) })
	return group.Wait()
}

func (j *jobs) repeat(fn func() error) error {
	for {
		if err := fn(); err != nil || j.isQuiet() {
			return err
		}
	}
}

// site makes a site, whose first deployment is a part of that, and deploys it
// two times more.
func (j *jobs) site(ctx context.Context) error {
	site, action, err := j.createSite(ctx, j.server, j.lines)
	if err := j.finish(ctx, action, err); err != nil {
		return err
	}
	for range 2 {
		d, err := j.Deployments.Trigger(ctx, site.ID, nil)
		if err != nil {
			return err
		}
		action, err := j.Actions.Get(ctx, d.Action)
		if err := j.finish(ctx, action, err); err != nil || j.isQuiet() {
			return err
		}
	}
	return nil
}

// key puts two keys on the machine, and takes one away.
func (j *jobs) key(ctx context.Context) error {
	stays, err := j.syncKey(ctx)
	if err != nil {
		return err
	}
	goes, err := j.syncKey(ctx)
	if err != nil {
		return err
	}
	action, err := j.Keys.Revoke(ctx, goes.ID, j.here(), nil)
	if err := j.finish(ctx, action, err); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.granted, j.revoked = append(j.granted, stays.Public), append(j.revoked, goes.Public)
	return nil
}

func (j *jobs) here() forge.Selector { return forge.Selector{Servers: []string{j.server.ID}} }

func (j *jobs) syncKey(ctx context.Context) (*forge.Key, error) {
	key, err := j.addKey(ctx)
	if err != nil {
		return nil, err
	}
	action, err := j.Keys.Sync(ctx, key.ID, j.here())
	return key, j.finish(ctx, action, err)
}

func (w *world) addKey(ctx context.Context) (*forge.Key, error) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return w.Keys.Add(ctx, forge.KeyOpts{Name: w.name("key"), Public: string(ssh.MarshalAuthorizedKey(line))})
}

// inCloud makes machines at the faulty cloud, several at a time, and deletes every
// other one.
func (j *jobs) inCloud(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range 2 {
		group.Go(func() error {
			stays := false
			return j.repeat(func() error {
				srv, action, err := j.Servers.Create(ctx, forge.ServerOpts{Name: j.name("cloud"), Provider: "cloud"})
				if err := j.finish(ctx, action, err); err != nil {
					return err
				}
				if stays = !stays; stays {
					return nil
				}
				action, err = j.Servers.Delete(ctx, srv.ID, nil)
				return j.finish(ctx, action, err)
			})
		})
	}
	return group.Wait()
}
