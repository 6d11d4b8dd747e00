package river

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/seed-797f2c2c/forge/queue"
)

// Enqueue adds jobs, in one transaction: all, or with an error none. A job needs
// an ID and a Pool, whose name has to be one for a queue of River: lower case
// letters and digits, parted by single underscores or hyphens, at most 64. A job
// whose ID waits or runs already is dropped without an error. An ID is forgotten
// within a second of its job's end.
func (q *Queue) Enqueue(ctx context.Context, jobs ...queue.Job) error {
	if err := ctx.Err(); err != nil || len(jobs) == 0 {
		return err
	}
	for _, job := range jobs {
		if job.ID == "" || job.Pool == "" {
			return errors.New("enqueue: a job needs an ID and a Pool")
		}
	}
	// By ID, each once: the statement cannot meet one row twice, and callers that
	// take rows in the same order do not lock each other out.
	jobs = slices.Clone(jobs)
	slices.SortStableFunc(jobs, func(a, b queue.Job) int { return cmp.Compare(a.ID, b.ID) })
	jobs = slices.CompactFunc(jobs, func(a, b queue.Job) bool { return a.ID == b.ID })
	all := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		all[i] = params(job)
	}
	client, err := q.inserter()
	if err != nil {
		return err
	}
	if _, err := client.InsertMany(ctx, all); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// inserter makes a client for one Enqueue. It costs some microseconds, and buys
// that the workers hear of every job. A client remembers when it last notified
// the workers of a queue, and keeps silent for FetchCooldown after that, in the
// belief that they will look again anyway. They will not: who has looked, because
// of the first job, before the second one is committed finds that one only when
// he polls, which is what made a wake-up take up to a second now and then. A new
// client has nothing to remember.
func (q *Queue) inserter() (*client, error) {
	return river.NewClient(q.driver, &river.Config{
		ID:       "forge",
		Schema:   q.cfg.Schema,
		PollOnly: q.cfg.PollOnly,
		Logger:   q.logger(),
		Hooks:    []rivertype.Hook{river.HookInsertBeginFunc(withoutScheduler)},
	})
}

// withoutScheduler makes a job of later available at once, as River does with
// one that is tried again soon: workers take nothing before its time. Else it
// would be for the scheduler to do so, which comes by every five seconds, and
// only in a client that was elected.
func withoutScheduler(_ context.Context, p *rivertype.JobInsertParams) error {
	p.State = rivertype.JobStateAvailable
	return nil
}
