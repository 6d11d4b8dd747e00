package main

import (
	"context"
	"errors"
	"time"
)

const (
	idleMemory     = "idle-rss"
	idleGoroutines = "idle-goroutines"
)

// idle is a Forge with many active servers and nothing to do, when the pool has
// closed its connections: what share of a CPU it takes.
func idle() row {
	return row{name: "idle", unit: "CPU", also: []string{idleMemory, idleGoroutines}, setup: setUpIdle}
}

func setUpIdle(ctx context.Context, l *lab) (*trial, error) {
	f, err := l.fleet(ctx, l.many)
	if err != nil {
		return nil, err
	}
	p, err := f.adopt(l.crowd, time.Second)
	if err != nil {
		return nil, err
	}
	if _, err := p.ask(fleetOrder{Do: runOnAll, Servers: l.crowd}); err != nil {
		return nil, errors.Join(err, p.end())
	}
	without, err := p.ask(fleetOrder{Do: countFirst})
	if err != nil {
		return nil, errors.Join(err, p.end())
	}
	return &trial{
		ours:  func(context.Context) (float64, error) { return p.ask(fleetOrder{Do: rest, For: l.rest}) },
		peers: []peer{{boundName, func(context.Context) (float64, error) { return 0.01, nil }}},
		gauges: []gauge{
			{idleMemory, "MiB", 64, p.resident},
			// No more than with no server at all.
			{idleGoroutines, "", without, func() (float64, error) { return p.ask(fleetOrder{Do: countIdle}) }},
		},
	}, nil
}
