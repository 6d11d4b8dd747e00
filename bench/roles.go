package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// The roles of the processes of a platform. Each is one that a program would have,
// too, and nothing else is in it.
const (
	worker = "worker"
	web    = "web"
)

// deployment is an order to trigger one, and to follow the lines that it prints.
type deployment struct {
	Site  string
	Lines int
}

// play is the main of a process in a role.
func play(ctx context.Context, role string) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if role == owner {
		return own(ctx, in, out, log)
	}
	var s settings
	if err := in.Decode(&s); err != nil {
		return err
	}
	o, err := s.open(ctx, log)
	if err != nil {
		return errors.Join(err, out.Encode(answer{Error: err.Error()}))
	}
	switch role {
	case worker:
		err = o.work(ctx, in, out)
	case web:
		err = obey(in, out, func(d deployment) (float64, error) { return 0, o.deploy(ctx, d) })
	default:
		err = fmt.Errorf("there is no role %q", role)
	}
	return errors.Join(err, o.close())
}

// work works until there are no more orders.
func (o *opened) work(ctx context.Context, in *json.Decoder, out *json.Encoder) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	worked := make(chan error, 1)
	go func() { worked <- o.Run(ctx) }()
	if err := out.Encode(answer{}); err != nil {
		return err
	}
	_ = in.Decode(&struct{}{}) // nobody orders anything
	stop()
	return <-worked
}

// obey carries out orders until there are no more.
func obey[T any](in *json.Decoder, out *json.Encoder, carryOut func(T) (float64, error)) error {
	if err := out.Encode(answer{}); err != nil {
		return err
	}
	for {
		var order T
		if err := in.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		var err error
		if a.Value, err = carryOut(order); err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func (o *opened) deploy(ctx context.Context, order deployment) error {
	d, err := o.Deployments.Trigger(ctx, order.Site, nil)
	if err != nil {
		return err
	}
	return follow(ctx, o.Forge, d.Action, order.Lines)
}
