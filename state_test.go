package forge

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkMoves checks a table: every status is reached from "" and has its moves,
// or is one of the ended ones.
func checkMoves[S ~string](t *testing.T, table moves[S], statuses []S, ended ...S) {
	t.Helper()
	reached := map[S]bool{}
	next := []S{""}
	for len(next) > 0 {
		from := next[0]
		next = next[1:]
		for _, to := range table[from] {
			require.NotEqual(t, from, to)
			if !reached[to] {
				reached[to] = true
				next = append(next, to)
			}
		}
	}
	require.ElementsMatch(t, statuses, slices.Collect(maps.Keys(reached)))
	for _, s := range statuses {
		require.Equal(t, slices.Contains(ended, s), len(table[s]) == 0, s)
	}
	require.Len(t, table, len(statuses)-len(ended)+1, "the table has statuses that are none")
}

func TestTablesOfMoves(t *testing.T) {
	t.Parallel()
	checkMoves(t, actionMoves, []ActionStatus{ActionPending, ActionRunning, ActionCancelling, ActionFinished, ActionFailed,
		ActionCancelled, ActionSuperseded}, ActionFinished, ActionFailed, ActionCancelled, ActionSuperseded)
	checkMoves(t, serverMoves, []ServerStatus{ServerPending, ServerCreating, ServerProvisioning, ServerActive, ServerError,
		ServerArchived, ServerDeleting, ServerDeleted}, ServerDeleted)
	checkMoves(t, siteMoves, []SiteStatus{SitePending, SiteInstalling, SiteAwaitingAccess, SiteInstalled, SiteDeployed,
		SiteFailed, SiteDeleting})
	checkMoves(t, deploymentMoves, []DeploymentStatus{DeploymentPending, DeploymentRunning, DeploymentCancelling, DeploymentFinished,
		DeploymentFailed, DeploymentCancelled, DeploymentSuperseded},
		DeploymentFinished, DeploymentFailed, DeploymentCancelled, DeploymentSuperseded)
	checkMoves(t, grantMoves, []GrantStatus{GrantPending, GrantSynced, GrantFailed, GrantRevoking, GrantRevoked})
}

// A deployment's status is that of its action, so that both allow the same.
func TestDeploymentsMoveAsTheirActions(t *testing.T) {
	t.Parallel()
	for from, to := range actionMoves {
		for _, s := range to {
			switch {
			case from == ActionPending && s == ActionCancelling: // a parent's
			case from == ActionRunning && s == ActionPending: // another attempt, which a deployment has not
			default:
				require.Contains(t, deploymentMoves[DeploymentStatus(from)], DeploymentStatus(s), "%s to %s", from, s)
			}
		}
	}
}
