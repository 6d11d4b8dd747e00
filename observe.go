package forge

import "time"

// ObservationType says what was observed.
type ObservationType string

// The types of observations. Those of actions are made once for each, by the
// process that wrote it down, when that is committed.
const (
	ObservedAsked   ObservationType = "asked"     // Action was asked for
	ObservedBegan   ObservationType = "began"     // an attempt began, after it waited for Took
	ObservedRetry   ObservationType = "retry"     // an attempt failed, and there will be another
	ObservedLost    ObservationType = "lost"      // it was taken from a worker that fell silent
	ObservedEnded   ObservationType = "ended"     // it ended as its Status says; Took is its Duration
	ObservedConnect ObservationType = "connected" // Server was dialled, which took Took and may have failed with Err
)

// Observation is something that metrics and traces are made of.
type Observation struct {
	Type   ObservationType
	Action *Action       // of all but ObservedConnect. It is a copy.
	Server string        // ObservedConnect, and of an action on a server
	Took   time.Duration // as its type says
	Err    error         // ObservedConnect; see sshexec.ConnectError for the stage
}

// observeStatus notes a change of an action's status, for when it is committed.
func (c *core) observeStatus(t *txn, a *Action, from ActionStatus) {
	switch {
	case from == a.Status:
	case from == "":
		c.note(t, ObservedAsked, a, 0)
	case a.Status.Ended():
		c.note(t, ObservedEnded, a, a.Duration(t.Now()))
	case a.Status == ActionRunning && a.Attempt > 1:
		c.note(t, ObservedBegan, a, t.Now().Sub(a.RunAt))
	case a.Status == ActionRunning:
		c.note(t, ObservedBegan, a, t.Now().Sub(a.Created))
	case a.Status == ActionPending:
		c.note(t, ObservedRetry, a, 0)
	}
}

func (c *core) note(t *txn, what ObservationType, a *Action, took time.Duration) {
	if c.Observe != nil {
		t.seen = append(t.seen, Observation{Type: what, Action: a.Clone(), Server: a.Server, Took: took})
	}
}

// dialled observes a connection that was made or failed.
func (cfg *Config) dialled() func(string, time.Duration, error) {
	observe, dialled := cfg.Observe, cfg.SSH.Dialled
	if observe == nil {
		return dialled
	}
	return func(server string, took time.Duration, err error) {
		observe(Observation{Type: ObservedConnect, Server: server, Took: took, Err: err})
		if dialled != nil {
			dialled(server, took, err)
		}
	}
}
