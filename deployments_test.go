package forge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// stage is a world with a site, whose deployments end when the test says so.
type stage struct {
	*world
	site    *forge.Site
	running atomic.Int32
	most    atomic.Int32
	outcome chan error
}

// onStage calls the test in a bubble; a deployment ends with what is sent to
// outcome, or when it is cancelled.
func onStage(t *testing.T, test func(t *testing.T, s *stage)) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		s := &stage{outcome: make(chan error)}
		s.world = newWorld(t, store, q, providertest.FakeConfig{})
		s.site = s.addSite(s.addServer("acme"), "example.com")
		s.Stub(forge.KindDeploy, func(ctx context.Context, _ forge.TestWork) error {
			s.most.Store(max(s.most.Load(), s.running.Add(1)))
			defer s.running.Add(-1)
			select {
			case err := <-s.outcome:
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		defer s.start()()
		test(t, s)
	})
}

func (s *stage) trigger(opts *forge.DeployOpts) *forge.Deployment {
	d, err := s.Deployments.Trigger(s.t.Context(), s.site.ID, opts)
	require.NoError(s.t, err)
	synctest.Wait()
	return d
}

func (s *stage) status(d *forge.Deployment) forge.DeploymentStatus {
	now, err := s.Deployments.Get(s.t.Context(), d.ID)
	require.NoError(s.t, err)
	require.Equal(s.t, forge.ActionStatus(now.Status), s.get(now.Action).Status)
	return now.Status
}

func (s *stage) readSite() *forge.Site {
	site, err := s.Sites.Get(s.t.Context(), s.site.ID)
	require.NoError(s.t, err)
	return site
}

func TestOneDeploymentRunsAndOneIsPending(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		first := s.trigger(nil)
		require.Equal(t, forge.DeploymentRunning, s.status(first))
		require.Equal(t, "main", first.Branch)
		second := s.trigger(nil)
		require.NotEqual(t, first.ID, second.ID, "what runs may have fetched already")
		require.Equal(t, forge.DeploymentPending, s.status(second))
		require.Equal(t, second.ID, s.trigger(nil).ID, "the pending one covers it")
		require.Equal(t, second.ID, s.trigger(&forge.DeployOpts{Branch: "main"}).ID)

		other := s.trigger(&forge.DeployOpts{Branch: "next"})
		require.Equal(t, forge.DeploymentSuperseded, s.status(second))
		third := s.trigger(&forge.DeployOpts{Branch: "next", Commit: "0123456789012345678901234567890123456789"})
		require.Equal(t, forge.DeploymentSuperseded, s.status(other))

		s.outcome <- nil
		synctest.Wait()
		require.Equal(t, forge.DeploymentFinished, s.status(first))
		require.Equal(t, forge.DeploymentRunning, s.status(third))
		s.outcome <- nil
		_, err := s.Deployments.Wait(t.Context(), third.ID)
		require.NoError(t, err)
		_, err = s.Deployments.Wait(t.Context(), second.ID)
		require.ErrorIs(t, err, forge.ErrFailed)
		require.EqualValues(t, 1, s.most.Load())
	})
}

func TestTimesOfADeployment(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		begin := time.Now()
		at := func(d time.Duration) time.Time { return begin.Add(d).UTC() }
		first := s.trigger(nil)
		time.Sleep(10 * time.Second)
		second := s.trigger(nil)
		time.Sleep(20 * time.Second)
		s.outcome <- nil
		synctest.Wait()
		site := s.readSite()
		require.Equal(t, forge.SiteDeployed, site.Status)
		require.WithinDuration(t, at(30*time.Second), site.DeploymentStarted, time.Millisecond)
		require.Zero(t, site.DeploymentFinished, "the second one runs")
		time.Sleep(5 * time.Second)
		s.outcome <- errors.New("migration failed")

		first, err := s.Deployments.Wait(t.Context(), first.ID)
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, first.Duration())
		require.WithinDuration(t, at(0), first.Started, time.Millisecond)
		second, err = s.Deployments.Wait(t.Context(), second.ID)
		var failed *forge.ActionError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "migration failed", second.Failure)
		require.WithinDuration(t, at(10*time.Second), second.Created, time.Millisecond)
		require.WithinDuration(t, at(30*time.Second), second.Started, time.Millisecond)
		require.Equal(t, 5*time.Second, second.Duration())
		site = s.readSite()
		require.Equal(t, forge.SiteDeployed, site.Status, "a failed deployment does not fail a serving site")
		require.WithinDuration(t, at(35*time.Second), site.DeploymentFinished, time.Millisecond)
	})
}

func TestFirstDeploymentThatFailsLeavesTheSiteInstalled(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		d := s.trigger(nil)
		s.outcome <- errors.New("no")
		_, err := s.Deployments.Wait(t.Context(), d.ID)
		require.Error(t, err)
		require.Equal(t, forge.SiteInstalled, s.readSite().Status)
	})
}

func TestCancelOfDeployments(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		first, second := s.trigger(nil), s.trigger(nil)
		require.NoError(t, s.Deployments.Cancel(t.Context(), second.ID))
		require.Equal(t, forge.DeploymentCancelled, s.status(second))
		require.Equal(t, forge.DeploymentRunning, s.status(first))
		require.True(t, s.readSite().DeploymentFinished.IsZero(), "the one that runs has not ended")
		third := s.trigger(nil)
		require.NoError(t, s.Deployments.Cancel(t.Context(), first.ID))
		_, err := s.Deployments.Wait(t.Context(), first.ID)
		require.Error(t, err)
		synctest.Wait()
		require.Equal(t, forge.DeploymentCancelled, s.status(first))
		require.Equal(t, forge.DeploymentRunning, s.status(third), "the next one begins")
		require.ErrorIs(t, s.Deployments.Cancel(t.Context(), first.ID), forge.ErrState)
		s.outcome <- nil
		_, err = s.Deployments.Wait(t.Context(), third.ID)
		require.NoError(t, err)
	})
}

func TestManyTriggersAtOnce(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		var mu sync.Mutex
		answers := make(map[string]bool)
		var asking sync.WaitGroup
		for i := range 200 {
			asking.Go(func() {
				time.Sleep(time.Duration(i%10) * time.Second)
				d, err := s.Deployments.Trigger(t.Context(), s.site.ID, &forge.DeployOpts{Branch: fmt.Sprint("b", i%2)})
				require.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				answers[d.ID] = true
			})
		}
		done := make(chan struct{})
		var feeding sync.WaitGroup
		feeding.Go(func() {
			for {
				select {
				case s.outcome <- nil:
				case <-done:
					return
				}
				time.Sleep(3 * time.Second)
			}
		})
		asking.Wait()
		last := s.trigger(&forge.DeployOpts{Branch: "last"})
		_, err := s.Deployments.Wait(t.Context(), last.ID)
		require.NoError(t, err)
		for id := range answers {
			d, err := s.Deployments.Wait(t.Context(), id)
			if err != nil {
				require.Equal(t, forge.DeploymentSuperseded, d.Status)
			}
		}
		close(done)
		feeding.Wait()
		require.EqualValues(t, 1, s.most.Load())
	})
}

func TestDeploymentWaitsForTheSite(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		srv := w.addServer("acme")
		w.Stub(forge.KindCreateSite, func(_ context.Context, work forge.TestWork) error {
			time.Sleep(20 * time.Second)
			work.SiteReady(forge.SiteInstalled)
			return nil
		})
		var deployed time.Time
		w.Stub(forge.KindDeploy, func(context.Context, forge.TestWork) error { deployed = time.Now(); return nil })
		defer w.start()()
		site, a, err := w.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "example.com", Repository: "https://example.com/a.git"})
		require.NoError(t, err)
		_, err = w.Deployments.Trigger(t.Context(), site.ID, nil)
		require.ErrorIs(t, err, forge.ErrState)
		done, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, 2, done.Children)
		require.Equal(t, 20*time.Second, deployed.Sub(a.Created).Round(time.Second))
		require.Equal(t, []string{"pending", "installing", "installed", "deployed"},
			w.statuses(forge.Subject{Kind: forge.SubjectSite, ID: site.ID}))
	})
}

func TestDeleteOfASiteCancelsItsDeployments(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		var deleted atomic.Bool
		asked := make(chan struct{})
		s.Stub(forge.KindDeleteSite, func(context.Context, forge.TestWork) error {
			assert.Zero(t, s.running.Load(), "it waits for what runs")
			deleted.Store(true)
			<-asked
			return errors.New("no")
		})
		first, second := s.trigger(nil), s.trigger(nil)
		a, err := s.Sites.Delete(t.Context(), s.site.ID)
		require.NoError(t, err)
		_, err = s.Sites.Delete(t.Context(), s.site.ID)
		require.ErrorIs(t, err, forge.ErrState)
		_, err = s.Deployments.Trigger(t.Context(), s.site.ID, nil)
		require.ErrorIs(t, err, forge.ErrState)
		close(asked)
		_, err = s.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.True(t, deleted.Load())
		require.Equal(t, forge.DeploymentCancelled, s.status(first))
		require.Equal(t, forge.DeploymentCancelled, s.status(second))
		require.Equal(t, forge.SiteFailed, s.readSite().Status)
		require.Equal(t, "no", s.readSite().Failure)
		_, err = s.Sites.Delete(t.Context(), s.site.ID)
		require.NoError(t, err, "it is tried again")
	})
}

// A deployment that runs is not cut off by the deletion of its server, unless
// that is what is wanted.
func TestDeleteOfAServerThatDeploys(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		first, second := s.trigger(nil), s.trigger(nil)
		before := s.contents()
		_, err := s.Servers.Delete(t.Context(), s.site.Server, nil)
		require.ErrorIs(t, err, forge.ErrState)
		require.Equal(t, before, s.contents())
		a, err := s.Servers.Delete(t.Context(), s.site.Server, &forge.DeleteOpts{Force: true})
		require.NoError(t, err)
		_, err = s.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.DeploymentCancelled, s.status(first))
		require.Equal(t, forge.DeploymentCancelled, s.status(second))
		_, err = s.Sites.Get(t.Context(), s.site.ID)
		require.ErrorIs(t, err, forge.ErrNotFound)
	})
}
