package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

// fleetOrder is what an owner is to do on its first servers. It answers with what
// Do is measured in.
type fleetOrder struct {
	Do      string
	Servers int
	Cold    bool    // the connections were dropped
	Key     string  // of syncKey
	Calls   int     // of runInTurn
	Percent float64 // of runInTurn
	For     time.Duration
}

// What an owner can do.
const (
	syncKey    = "sync"    // let Key log in as root, in seconds
	runOnAll   = "run"     // true, at once, in seconds
	runInTurn  = "calls"   // true on one, Calls times, in milliseconds at Percent of them
	rest       = "rest"    // nothing For a time, in CPUs
	countIdle  = "count"   // goroutines
	countFirst = "without" // goroutines before there was a server
)

func (o *owned) do(ctx context.Context, order fleetOrder) (float64, error) {
	if order.Cold {
		if err := o.disconnected(ctx); err != nil {
			return 0, err
		}
	}
	servers := o.servers[:order.Servers]
	switch order.Do {
	case syncKey:
		return o.sync(ctx, servers, order.Key)
	case runOnAll:
		return timed(func(ctx context.Context) error { return o.runOn(ctx, servers) })(ctx)
	case runInTurn:
		return o.runInTurn(ctx, servers[0], order)
	case rest:
		return o.rest(ctx, order.For)
	case countIdle:
		return float64(o.goroutines), nil
	case countFirst:
		return float64(o.without), nil
	}
	return 0, fmt.Errorf("there is no order %q", order.Do)
}

// disconnected waits until the connections are closed.
func (o *owned) disconnected(ctx context.Context) error {
	for o.Connections().Conns > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (o *owned) sync(ctx context.Context, servers []string, public string) (float64, error) {
	key, err := o.Keys.Add(ctx, forge.KeyOpts{Name: "bench", Public: public})
	if err != nil {
		return 0, err
	}
	return timed(func(ctx context.Context) error {
		action, err := o.Keys.Sync(ctx, key.ID, forge.Selector{Servers: servers, User: "root"})
		if err == nil {
			_, err = o.Actions.Wait(ctx, action.ID)
		}
		return err
	})(ctx)
}

func (o *owned) run(ctx context.Context, server string) error {
	_, err := o.Servers.Run(ctx, server, forge.RunOpts{Script: "true", User: "root"})
	return err
}

func (o *owned) runOn(ctx context.Context, servers []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, id := range servers {
		group.Go(func() error { return o.run(ctx, id) })
	}
	return group.Wait()
}

func (o *owned) runInTurn(ctx context.Context, server string, order fleetOrder) (float64, error) {
	return inTurn(order.Calls, order.Percent, func() error { return o.run(ctx, server) })
}

// inTurn makes calls one after the other, and returns how many milliseconds so
// many percent of them took at most.
func inTurn(calls int, percent float64, call func() error) (float64, error) {
	took := make([]float64, calls)
	for i := range took {
		began := time.Now()
		if err := call(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began).Seconds() * 1000
	}
	slices.Sort(took)
	return took[int(math.Ceil(percent/100*float64(calls)))-1], nil
}

// rest does nothing for a time and returns what share of a CPU that took.
func (o *owned) rest(ctx context.Context, d time.Duration) (float64, error) {
	if err := o.disconnected(ctx); err != nil {
		return 0, err
	}
	o.goroutines = settled()
	debug.FreeOSMemory() // as the runtime does by itself, some minutes later
	before := cpuTime()
	time.Sleep(d)
	return (cpuTime() - before).Seconds() / d.Seconds(), nil
}

// settled returns the number of goroutines when it has been the same for a second.
func settled() int {
	last, same := 0, 0
	for same < 10 {
		now := runtime.NumGoroutine()
		if now == last {
			same++
		} else {
			last, same = now, 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	return last
}
