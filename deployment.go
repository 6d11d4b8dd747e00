package forge

import "time"

// DeploymentStatus is the state of a deployment.
type DeploymentStatus string

// The states of a deployment. A site has at most one that is pending, and at
// most one that is running or cancelling.
const (
	DeploymentPending    DeploymentStatus = "pending"
	DeploymentRunning    DeploymentStatus = "running"
	DeploymentCancelling DeploymentStatus = "cancelling"
	DeploymentFinished   DeploymentStatus = "finished"
	DeploymentFailed     DeploymentStatus = "failed"
	DeploymentCancelled  DeploymentStatus = "cancelled"
	DeploymentSuperseded DeploymentStatus = "superseded"
)

// Deployment is one deployment of a site. Its log is that of its action.
type Deployment struct {
	ID     string
	Owner  string
	Site   string
	Server string
	Action string

	Branch string // what is deployed: the newest commit of this branch,
	Commit string // or this commit of it

	Status  DeploymentStatus
	Failure string

	CommitHash    string // what was deployed, once it is known
	CommitMessage string // first line, at most 255 characters
	CommitAuthor  string

	Created, Started, Finished time.Time
}

// Duration is how long the deployment took; 0 before its end.
func (d *Deployment) Duration() time.Duration {
	if d.Started.IsZero() || d.Finished.IsZero() {
		return 0
	}
	return d.Finished.Sub(d.Started)
}

// Clone returns a copy.
func (d *Deployment) Clone() *Deployment { c := *d; return &c }

// DeploymentFilter selects deployments.
type DeploymentFilter struct {
	Owner  string
	Site   string
	Server string
	Status []DeploymentStatus
	// EndedBefore selects deployments whose Finished, not zero, is before this
	// time.
	EndedBefore time.Time
}
