package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	q := memory.New(memory.Config{DrainTimeout: time.Minute})

	err := q.Enqueue(ctx,
		queue.Job{ID: "b.1", Kind: "deploy_site", Pool: "deploy", RunAt: time.Now().Add(10 * time.Millisecond)},
		queue.Job{ID: "a.1", Kind: "deploy_site", Pool: "deploy"},
		queue.Job{ID: "a.1", Kind: "deploy_site", Pool: "deploy"}, // waits already
	)
	if err != nil {
		panic(err)
	}
	err = q.Run(ctx, queue.Pools{"deploy": 5}, func(_ context.Context, job queue.Job) error {
		fmt.Println(job.Kind, job.ID)
		if job.ID == "b.1" {
			cancel() // Run drains and returns
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// deploy_site a.1
	// deploy_site b.1
	// <nil>
}
