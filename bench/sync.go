package main

import "context"

// syncFew lets a new key log in to the servers of a small fleet as root. What the
// peers do on a host is the least that has to be done there.
func syncFew(temperature string) row {
	return row{name: "sync-50-" + temperature, unit: "s", setup: func(ctx context.Context, l *lab) (*trial, error) {
		f, err := l.fleet(ctx, l.few)
		if err != nil {
			return nil, err
		}
		if temperature == "warm" {
			return f.syncWarm(ctx, l.few)
		}
		return f.syncCold(l.few)
	}}
}

func (f *fleet) syncCold(n int) (*trial, error) {
	run := func(put func(key string) measure) measure { return f.cold(f.sync(n, put)) }
	command := func(run func(ctx context.Context, command string) error) func(string) measure {
		return func(key string) measure {
			return timed(func(ctx context.Context) error { return run(ctx, addKey(key)) })
		}
	}
	t := &trial{
		ours: run(f.syncOurs(n, true)),
		peers: []peer{
			{"floor", run(func(key string) measure { return f.floor(n, addKey(key)) })},
			{"xargs ssh", run(command(func(ctx context.Context, command string) error {
				return f.xargs(ctx, n, f.options(curve25519, noMaster), command)
			}))},
		},
	}
	there, err := f.lab.has("parallel-ssh")
	if there {
		t.peers = append(t.peers, peer{"pssh", run(command(func(ctx context.Context, command string) error {
			return f.pssh(ctx, n, command)
		}))})
	}
	if err == nil {
		err = f.syncByAnsible(t, n, run, "ControlMaster=no", noMaster)
	}
	return t, err
}

func (f *fleet) syncWarm(ctx context.Context, n int) (*trial, error) {
	open, err := f.connect(ctx, n)
	t := &trial{close: func() error {
		open.close()
		return f.endMasters()
	}}
	if err != nil {
		return nil, err
	}
	run := func(put func(key string) measure) measure { return f.sync(n, put) }
	t.ours = run(f.syncOurs(n, false))
	t.peers = []peer{{"floor", run(func(key string) measure {
		return timed(func(context.Context) error { return open.run(addKey(key)) })
	})}}
	return t, f.syncByAnsible(t, n, run, f.master()...)
}

func (f *fleet) syncOurs(n int, cold bool) func(key string) measure {
	return func(key string) measure {
		return f.ours(fleetOrder{Do: syncKey, Servers: n, Key: key, Cold: cold})
	}
}

// syncByAnsible adds the peer, if it is there. Its module for lines is faster than
// the one for keys, and no less careful.
func (f *fleet) syncByAnsible(t *trial, n int, run func(func(string) measure) measure, options ...string) error {
	there, err := f.lab.has("ansible")
	if there {
		t.peers = append(t.peers, peer{"ansible", run(func(key string) measure {
			return timed(func(ctx context.Context) error {
				return f.ansible(ctx, n, options, "lineinfile", "path=/root/.ssh/authorized_keys line='"+key+"'")
			})
		})})
	}
	return err
}

const syncMemory = "sync-500-cold-rss"

// elevenFold is as long as ten times as many servers may take.
const elevenFold = "sync-50-cold x 11"

// syncMany does the same on ten times as many servers.
func syncMany() row {
	return row{name: "sync-500-cold", unit: "s", also: []string{syncMemory}, setup: setUpSyncMany}
}

func setUpSyncMany(ctx context.Context, l *lab) (*trial, error) {
	f, err := l.fleet(ctx, l.many)
	if err != nil {
		return nil, err
	}
	few := f.cold(f.sync(l.few, f.syncOurs(l.few, true)))
	many := f.cold(f.sync(l.many, f.syncOurs(l.many, true)))
	return &trial{
		ours: func(ctx context.Context) (float64, error) {
			if err := f.forge.forgetPeak(); err != nil {
				return 0, err
			}
			return many(ctx)
		},
		peers: []peer{{elevenFold, func(ctx context.Context) (float64, error) {
			took, err := few(ctx)
			return 11 * took, err
		}}},
		gauges: []gauge{{syncMemory, "MiB", 200, f.forge.peak}},
	}, nil
}
