package river

import (
	"regexp"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/seed-797f2c2c/forge/queue"
)

// wakeUp is a job as River keeps it. There is one kind for all, as River
// discards those of kinds that it does not know: a process that lacks some kind
// of work must not end that of others.
type wakeUp struct {
	ID    string    `json:"id" river:"unique"`
	Work  string    `json:"kind"`
	Pool  string    `json:"pool"`
	RunAt time.Time `json:"run_at,omitzero"`
}

// Kind implements river.JobArgs.
func (wakeUp) Kind() string { return "forge" }

func (w wakeUp) job() queue.Job {
	return queue.Job{ID: w.ID, Kind: w.Work, Pool: w.Pool, RunAt: w.RunAt}
}

// open are the states of a job that waits or runs.
var open = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// tag is what River accepts as one.
var tag = regexp.MustCompile(`^\w[\w-]{1,253}\w$`)

func params(job queue.Job) river.InsertManyParams {
	opts := &river.InsertOpts{
		MaxAttempts: 1,
		Queue:       job.Pool,
		ScheduledAt: job.RunAt,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: open},
	}
	if tag.MatchString(job.Kind) {
		opts.Tags = []string{job.Kind}
	}
	return river.InsertManyParams{
		Args:       wakeUp{ID: job.ID, Work: job.Kind, Pool: job.Pool, RunAt: job.RunAt},
		InsertOpts: opts,
	}
}
