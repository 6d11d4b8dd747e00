// Package queue defines how wake-ups reach workers. A queue carries no work of
// its own: a job names an action that is in the store, and a handler looks
// there what is to be done. A wake-up may therefore be lost, late or doubled
// without harm, and a queue needs no durability.
package queue

import (
	"context"
	"time"
)

// Job is one wake-up.
type Job struct {
	ID    string    // unique for this wake-up
	Kind  string    // what will be done, for people who look into the queue
	Pool  string    // the pool of workers that takes it
	RunAt time.Time // not before; zero means at once
}

// Pools says how many jobs of each pool a process works on at once.
type Pools map[string]int

// Handler works on one job. An error is for the queue's own records; the queue
// does not run the job again because of it.
type Handler func(ctx context.Context, job Job) error

// Queue hands jobs to workers. Implementations are safe for concurrent use.
type Queue interface {
	// Enqueue adds jobs. A job whose ID waits or runs already is dropped
	// without an error.
	Enqueue(ctx context.Context, jobs ...Job) error

	// Run works on the jobs of the given pools until ctx is done. Then it
	// takes no more, lets those that run come to their end within the
	// queue's drain time, cancels the contexts of the rest, waits for them,
	// and returns nil. A handler that panics takes neither the queue nor
	// another handler down.
	Run(ctx context.Context, pools Pools, handle Handler) error
}
