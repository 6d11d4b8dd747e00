package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/seed-797f2c2c/forge"
)

// work is the main of a worker's process. It works until its standard input
// ends, as it does when the test does, however that ends.
func work(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("worker", s.Worker)
	o, err := s.open(ctx, log, false)
	if err != nil {
		return err
	}
	log.Info("working")
	return errors.Join(o.Run(ctx), o.close())
}

// gatedStore asks before each update, which then is on its way, whatever becomes
// of who wanted it; and it says when one is refused.
type gatedStore struct {
	durable
	worker string
	cloud  *client
	log    *slog.Logger
}

func (s *gatedStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	if err := s.cloud.pass(ctx, s.worker); err != nil {
		return err
	}
	err := s.durable.Update(ctx, fn)
	if err != nil {
		s.log.Info(refusedUpdate, "error", err)
	}
	return err
}

// refusedUpdate is what the gated store says.
const refusedUpdate = "an update was refused"
