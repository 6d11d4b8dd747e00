package main

import (
	"context"
	"slices"
	"time"

	upstream "github.com/riverqueue/river"

	"github.com/seed-797f2c2c/forge/internal/queuebench"
)

// gap is between two jobs of which it is measured how long each one waits.
const gap = 20 * time.Millisecond

// latencyWorkers never keep a job waiting.
const latencyWorkers = 8

// queueLatency is the time from Enqueue to the handler, the given part of the jobs
// waiting for no longer, against River with its own settings and, as the floor, a
// loop that hears of each row by NOTIFY.
func queueLatency(name string, part float64) row {
	return row{name: name, unit: "ms", setup: func(ctx context.Context, l *lab) (*trial, error) {
		ours, err := l.adapter(ctx, "latency_ours", latencyWorkers)
		if err != nil {
			return nil, err
		}
		bare, err := l.bareRiver(ctx, "latency_bare", latencyWorkers, upstream.FetchCooldownDefault)
		if err != nil {
			return nil, err
		}
		loop, err := l.notifyLoop(ctx)
		if err != nil {
			return nil, err
		}
		return &trial{
			ours:  l.delay(ours, part),
			peers: []peer{{"floor", l.delay(loop, part)}, {"River's defaults", l.delay(bare, part)}},
			close: closing(ours, loop, bare),
		}, nil
	}}
}

// delay measures how long a job waits for a side.
func (l *lab) delay(s *queuebench.Side, part float64) measure {
	return func(ctx context.Context) (float64, error) {
		took, err := s.Delays(ctx, l.single, gap)
		if err != nil {
			return 0, err
		}
		slices.Sort(took)
		return float64(took[int(part*float64(len(took)))].Nanoseconds()) / 1e6, nil
	}
}
