package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// execInTurn is a command on one server, on a connection that is open, again and
// again: what so many percent of the calls take at most.
func execInTurn(percent float64) row {
	return row{name: fmt.Sprintf("exec-warm-p%g", percent), unit: "ms", setup: func(ctx context.Context, l *lab) (*trial, error) {
		f, err := l.fleet(ctx, l.few)
		if err != nil {
			return nil, err
		}
		open, err := f.connect(ctx, 1)
		if err != nil {
			return nil, err
		}
		turns := func(call func(ctx context.Context) error) measure {
			return func(ctx context.Context) (float64, error) {
				return inTurn(l.calls, percent, func() error { return call(ctx) })
			}
		}
		args := slices.Concat(f.options(f.master()...), []string{"root@" + f.Hosts[0].Address.String(), "true"})
		return &trial{
			ours: f.ours(fleetOrder{Do: runInTurn, Servers: 1, Calls: l.calls, Percent: percent}),
			peers: []peer{
				{"floor", turns(func(context.Context) error { return open.run("true") })},
				{"ControlMaster", turns(func(ctx context.Context) error {
					cmd := exec.CommandContext(ctx, "ssh", args...)
					cmd.Stderr = os.Stderr
					return cmd.Run()
				})},
			},
			close: func() error {
				open.close()
				return f.endMasters()
			},
		}, nil
	}}
}

// execCold is a command on many servers at once, to which there is no connection.
// OpenSSH's default key exchange takes its client far longer than that of the
// others.
func execCold() row { return row{name: "exec-50-cold", unit: "s", setup: setUpExecCold} }

func setUpExecCold(ctx context.Context, l *lab) (*trial, error) {
	f, err := l.fleet(ctx, l.few)
	if err != nil {
		return nil, err
	}
	xargs := func(options ...string) measure {
		return f.cold(timed(func(ctx context.Context) error { return f.xargs(ctx, l.few, f.options(options...), "true") }))
	}
	return &trial{
		ours: f.cold(f.ours(fleetOrder{Do: runOnAll, Servers: l.few, Cold: true})),
		peers: []peer{
			{"floor", f.cold(f.floor(l.few, "true"))},
			{"xargs ssh", xargs(curve25519, noMaster)},
			{"xargs ssh, default", xargs(noMaster)},
		},
	}, nil
}

// execWarm is the same on connections that are open.
func execWarm() row { return row{name: "exec-50-warm", unit: "s", setup: setUpExecWarm} }

func setUpExecWarm(ctx context.Context, l *lab) (*trial, error) {
	f, err := l.fleet(ctx, l.few)
	if err != nil {
		return nil, err
	}
	open, err := f.connect(ctx, l.few)
	if err != nil {
		return nil, err
	}
	t := &trial{
		ours: f.ours(fleetOrder{Do: runOnAll, Servers: l.few}),
		peers: []peer{
			{"floor", timed(func(context.Context) error { return open.run("true") })},
			{"xargs ControlMaster", timed(func(ctx context.Context) error {
				return f.xargs(ctx, l.few, f.options(f.master()...), "true")
			})},
		},
		close: func() error {
			open.close()
			return f.endMasters()
		},
	}
	there, err := l.has("ansible")
	if there {
		t.peers = append(t.peers, peer{"ansible raw", timed(func(ctx context.Context) error {
			return f.ansible(ctx, l.few, f.master(), "raw", "true")
		})})
	}
	return t, err
}
