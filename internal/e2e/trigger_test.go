package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// alone fails where another deployment of the site runs.
const alone = `mkdir ~/running || { echo 'two run at once'; exit 1; }
trap 'rmdir ~/running' EXIT
echo running
cd {{SITE_PATH}}
git fetch origin {{BRANCH}}
git reset --hard FETCH_HEAD
sleep 0.2`

// asked is a trigger and what it was answered with.
type asked struct {
	deployment string
	commits    int // that were pushed before
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newGitSite(t, e, srv, forge.SiteOpts{DeployScript: alone})

	const rounds = 8
	var mu sync.Mutex
	commits := make([]string, 0, rounds)
	var all []asked
	trigger := func() *forge.Deployment {
		mu.Lock()
		n := len(commits)
		mu.Unlock()
		d, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
		if !assert.NoError(t, err) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, asked{d.ID, n})
		return d
	}
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() { trigger() })
	}
	// And two with each commit, as a hook that is delivered twice does. The next
	// commit comes while a deployment runs.
	for i := range rounds {
		hash := s.commit(t, "public/index.php", fmt.Sprintf(`<?php echo "commit %d";`, i))
		mu.Lock()
		commits = append(commits, hash)
		mu.Unlock()
		group.Go(func() { trigger() })
		d := trigger()
		require.NotNil(t, d)
		e.await(t, d.Action, "running")
	}
	group.Wait()
	require.Len(t, all, 200+2*rounds)

	ended := map[string]*forge.Deployment{}
	for _, a := range all {
		if ended[a.deployment] == nil {
			d, err := e.Deployments.Get(t.Context(), a.deployment)
			require.NoError(t, err)
			ended[a.deployment] = s.deployed(t, d)
		}
		d := ended[a.deployment]
		covers := slices.Index(commits, d.CommitHash) + 1 // 0 for those before
		require.GreaterOrEqual(t, covers, a.commits, "a trigger after %d commits got one that deployed commit %d", a.commits, covers)
	}
	require.Equal(t, fmt.Sprint("commit ", rounds-1), get(t, srv, s.Domain, "/").body)
	require.GreaterOrEqual(t, len(ended), rounds)
	t.Logf("%d triggers during %d commits were answered by %d deployments, one at a time", len(all), len(commits), len(ended))

	running := 0
	for _, d := range s.history(t) {
		for _, other := range ended {
			if d.ID != other.ID && d.Started.Before(other.Finished) && other.Started.Before(d.Finished) {
				running++
			}
		}
	}
	require.Zero(t, running, "pairs of deployments that ran at once")
}

func (s *site) history(t *testing.T) (all []*forge.Deployment) {
	t.Helper()
	for d, err := range s.e.Deployments.All(t.Context(), forge.DeploymentFilter{Site: s.ID}) {
		require.NoError(t, err)
		all = append(all, d)
	}
	return all
}
