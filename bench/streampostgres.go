package main

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// maxResident is how much memory a worker and one who follows it may take
// together, in MiB.
const maxResident = 150

const resident = "stream-1m-postgres-rss"

// streamPostgres is a deployment that prints a million lines of 80 bytes, from
// its trigger until it is finished: a worker process stores them in PostgreSQL,
// from where a web process follows them live and looks at each.
func streamPostgres() row {
	return row{name: "stream-1m-postgres", unit: "s", also: []string{resident}, setup: setUpStreamPostgres}
}

func setUpStreamPostgres(ctx context.Context, l *lab) (*trial, error) {
	p, err := l.inPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.host.bash(ctx, writeLines, strconv.Itoa(l.lines)); err != nil {
		return nil, err
	}
	site, action, err := p.Sites.Create(ctx, p.host.server.ID, forge.SiteOpts{
		Domain: "bench.example.org", Kind: forge.StaticSite, DeployScript: printLines,
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.Actions.Wait(ctx, action.ID); err != nil {
		return nil, err
	}
	ours := timed(func(context.Context) error { return p.web.tell(deployment{site.ID, l.lines}) })
	return &trial{
		ours: func(ctx context.Context) (float64, error) {
			if err := errors.Join(p.worker.forgetPeak(), p.web.forgetPeak()); err != nil {
				return 0, err
			}
			return ours(ctx)
		},
		peers: []peer{p.host.toFile("ssh >file", l.lines)},
		gauges: []gauge{{resident, "MiB", maxResident, func() (float64, error) {
			works, workErr := p.worker.peak()
			follows, webErr := p.web.peak()
			return works + follows, errors.Join(workErr, webErr)
		}}},
	}, nil
}

// platform is a Forge in several processes, which share a PostgreSQL, with a
// server of theirs. This process only asks.
type platform struct {
	*opened
	worker, web *process
	host        *host
}

// inPostgres makes a platform that ends with the lab.
func (l *lab) inPostgres(ctx context.Context) (*platform, error) {
	url, err := l.postgres()
	if err != nil {
		return nil, err
	}
	keys, err := tink.New()
	if err != nil {
		return nil, err
	}
	s := settings{URL: url, Schema: "forge", River: "river", Keyset: filepath.Join(l.dir, "keyset"), Images: l.images}
	if err := keys.Save(s.Keyset); err != nil {
		return nil, err
	}
	p := &platform{}
	if p.opened, err = s.open(ctx, l.log); err != nil {
		return nil, err
	}
	l.closers = append(l.closers, p.close)
	if err := p.migrate(ctx); err != nil {
		return nil, err
	}
	for role, at := range map[string]**process{worker: &p.worker, web: &p.web} {
		if *at, err = start(role, s); err != nil {
			return nil, err
		}
		l.closers = append(l.closers, (*at).end)
	}
	p.host, err = l.newHost(ctx, p.Forge)
	return p, err
}
