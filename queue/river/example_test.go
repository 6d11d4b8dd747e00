package river_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/river"
)

// A program works on jobs until it is interrupted. Another one, or another place
// in the same, enqueues them, for which it needs no Run.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	q, err := river.New(river.Config{Pool: pool})
	if err != nil {
		panic(err)
	}
	if err := q.Migrate(ctx); err != nil { // once for each version, by whoever deploys the program
		panic(err)
	}
	if err := q.Enqueue(ctx, queue.Job{ID: "a.1", Kind: "deploy_site", Pool: "deploy"}); err != nil {
		panic(err)
	}
	err = q.Run(ctx, queue.Pools{"deploy": 5}, func(_ context.Context, job queue.Job) error {
		fmt.Println(job.Kind, job.ID)
		return nil
	})
	if err != nil {
		panic(err)
	}
}
