package forge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// script is what the handlers and the queue do, turn by turn; after its end all
// goes well.
type script struct {
	mu       sync.Mutex
	outcomes []int
	losses   []bool
}

const outcomes = 7

func (s *script) outcome() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.outcomes) == 0 {
		return 0
	}
	n, s.outcomes = s.outcomes[0], s.outcomes[1:]
	return n
}

func (s *script) work(ctx context.Context, w forge.TestWork) error {
	a := w.Action()
	switch s.outcome() {
	case 1:
		return errors.New("no")
	case 2:
		panic("oh")
	case 3:
		return w.Wait(3 * time.Second)
	case 4:
		return forge.ErrUnavailable
	case 5:
		select {
		case <-time.After(7 * time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case 6: // deaf to all
		time.Sleep(2 * time.Second)
	}
	switch a.Kind {
	case forge.KindCreateSite:
		w.SiteReady(forge.SiteInstalled)
	case forge.KindDeleteSite:
		w.SiteRemoved()
	}
	return nil
}

// mangle loses or doubles a wake-up.
func (s *script) mangle(j queue.Job) []queue.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.losses) == 0 {
		return []queue.Job{j}
	}
	lost := s.losses[0]
	s.losses = s.losses[1:]
	if lost {
		return nil
	}
	return []queue.Job{j, j}
}

// play is a world in which anything is asked for.
type play struct {
	*world
	script  *script
	servers []string
	sites   []string
	key     string
	stop    func()
}

func newPlay(t *testing.T, s *script) *play {
	store := memory.New(memory.Config{})
	p := &play{script: s}
	p.world = newWorld(t, store, deafQueue{queuememory.New(queuememory.Config{}), s.mangle}, providertest.FakeConfig{})
	p.stubAll()
	p.key = p.addKey("").ID
	for i := range 2 {
		srv := p.addServer("")
		p.servers = append(p.servers, srv.ID)
		for j := range 2 {
			p.sites = append(p.sites, p.addSite(srv, fmt.Sprintf("s%d-%d.example.com", i, j)).ID)
		}
	}
	return p
}

func (p *play) stubAll() {
	for _, kind := range []forge.Kind{
		forge.KindInstallStack, forge.KindCreateSite, forge.KindDeleteSite, forge.KindDeploy, forge.KindSyncKey, forge.KindRevokeKey, forge.KindExec, forge.KindRestartService, forge.KindReboot,
	} {
		p.Stub(kind, p.script.work)
	}
	for _, kind := range []forge.Kind{forge.KindProvision, forge.KindDeleteServer} {
		p.Wrap(kind, func(ctx context.Context, w forge.TestWork, work func() error) error {
			if err := p.script.work(ctx, w); err != nil {
				return err
			}
			return work()
		})
	}
}

// do does one thing to something; that it is refused is fine.
func (p *play) do(ctx context.Context, what, which int) {
	server, site := p.servers[which%len(p.servers)], p.sites[which%len(p.sites)]
	sync := forge.Selector{Servers: []string{p.servers[0], p.servers[which%len(p.servers)]}}
	switch what {
	case 0, 1:
		_, _ = p.Deployments.Trigger(ctx, site, &forge.DeployOpts{Branch: fmt.Sprint("b", which%2)})
	case 2:
		_, _ = p.Keys.Sync(ctx, p.key, sync)
	case 3:
		_, _ = p.Keys.Revoke(ctx, p.key, sync, nil)
	case 4:
		if s, _, err := p.Sites.Create(ctx, server, forge.SiteOpts{Domain: fmt.Sprintf("n%d.example.com", len(p.sites)),
			Repository: "https://example.com/a.git"}); err == nil {
			p.sites = append(p.sites, s.ID)
		}
	case 5:
		_, _ = p.Sites.Delete(ctx, site)
	case 6:
		_, _ = p.Sites.Connect(ctx, site)
	case 7:
		if srv, _, err := p.Servers.Create(ctx, forge.ServerOpts{Name: "web", Provider: "cloud"}); err == nil {
			p.servers = append(p.servers, srv.ID)
		}
	case 8:
		_, _ = p.Servers.Retry(ctx, server)
	case 9:
		_, _ = p.Servers.Delete(ctx, server, &forge.DeleteOpts{Force: which%2 == 0})
	case 10:
		_, _ = p.Servers.Exec(ctx, server, forge.ExecOpts{Command: "id", User: "root"})
	case 11:
		_, _ = p.Servers.RestartService(ctx, server, "nginx")
	case 12:
		if open, _ := p.Actions.List(ctx, forge.ActionFilter{Open: true}, forge.Page{}); len(open) > 0 {
			_ = p.Actions.Cancel(ctx, open[which%len(open)].ID)
		}
	case 13:
		time.Sleep(time.Duration(which) * time.Second)
	case 14: // the worker goes, and another one comes
		p.stop()
		p.stop = p.start()
	case 15:
		_, _ = p.Servers.Reboot(ctx, server)
	case 16:
		_ = p.Servers.Archive(ctx, server)
	case 17:
		_ = p.Servers.Unarchive(ctx, server)
	}
}

const doings = 18

// Whatever is asked for and however it goes: once all is quiet, everything has
// ended and nothing is held.
func TestAllEndsInQuiet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &script{
			outcomes: rapid.SliceOfN(rapid.IntRange(0, outcomes-1), 0, 60).Draw(rt, "outcomes"),
			losses:   rapid.SliceOfN(rapid.Bool(), 0, 20).Draw(rt, "losses"),
		}
		what := rapid.SliceOfN(rapid.IntRange(0, doings-1), 1, 40).Draw(rt, "what")
		which := rapid.SliceOfN(rapid.IntRange(0, 11), len(what), len(what)).Draw(rt, "which")
		var left contents
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t, s)
			p.stop = p.start()
			defer func() { p.stop() }()
			for i := range what {
				p.do(t.Context(), what[i], which[i])
			}
			time.Sleep(10 * time.Minute) // long after the last of the script
			left = p.contents()
		})
		requireQuiet(rt, left)
	})
}

func requireQuiet(t require.TestingT, c contents) {
	byID := map[string]*forge.Action{}
	type parts struct{ all, open, failed int }
	of := map[string]parts{}
	for _, a := range c.Actions {
		byID[a.ID] = a
		require.True(t, a.Status.Ended(), "%s is %s, waits %q, run at %s", a.Kind, a.Status, a.Waits, a.RunAt)
		require.Empty(t, a.Holder)
		require.Empty(t, a.Waits)
		if a.Parent != "" {
			p := of[a.Parent]
			p.all++
			if a.Status == forge.ActionFailed || a.Status == forge.ActionCancelled {
				p.failed++
			}
			of[a.Parent] = p
		}
	}
	for id, p := range of {
		require.Equal(t, p, parts{byID[id].Children, byID[id].ChildrenOpen, byID[id].ChildrenFailed})
	}
	for _, l := range c.Locks {
		require.Empty(t, l.Holder, "%s is held by %s, which is %v", l.Key, l.Holder, byID[l.Holder])
	}
	for _, d := range c.Deployments {
		require.Equal(t, forge.ActionStatus(d.Status), byID[d.Action].Status)
	}
	for _, s := range c.Servers {
		require.Contains(t, []forge.ServerStatus{forge.ServerActive, forge.ServerError, forge.ServerArchived, forge.ServerDeleted}, s.Status)
	}
	for _, s := range c.Sites {
		require.Contains(t, []forge.SiteStatus{forge.SiteInstalled, forge.SiteDeployed, forge.SiteFailed}, s.Status)
	}
	status := map[string]forge.ServerStatus{}
	for _, s := range c.Servers {
		status[s.ID] = s.Status
	}
	for _, g := range c.Grants {
		if g.Action == "" && status[g.Server] != forge.ServerActive {
			continue // put off until it is
		}
		require.Contains(t, []forge.GrantStatus{forge.GrantSynced, forge.GrantRevoked, forge.GrantFailed}, g.Status)
	}
}
