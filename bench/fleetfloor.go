package main

import (
	"context"
	_ "embed"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"
)

//go:embed addkey.pl
var addKeyScript string

// addKey is a command that does what a sync has to do on a host. The line has no
// quote.
func addKey(line string) string {
	return "exec perl -e '" + strings.ReplaceAll(addKeyScript, "'", `'\''`) + "' '" + line + "'"
}

// clients are the connections of a minimal Go program, one to each of some hosts.
type clients []*ssh.Client

// connect opens connections to the first hosts, at once.
func (f *fleet) connect(ctx context.Context, hosts int) (clients, error) {
	open := make(clients, hosts)
	group, ctx := errgroup.WithContext(ctx)
	for i, h := range f.Hosts[:hosts] {
		group.Go(func() (err error) {
			open[i], err = dial(ctx, h.Addr(), "root", f.Signer, h.HostKey)
			return err
		})
	}
	return open, group.Wait()
}

func (open clients) close() {
	for _, c := range open {
		if c != nil {
			_ = c.Close()
		}
	}
}

// run runs a command on all at once.
func (open clients) run(command string) error {
	var group errgroup.Group
	for _, c := range open {
		group.Go(func() error { return runIn(c, command, nil, nil) })
	}
	return group.Wait()
}

// floor runs a command on new connections, without waiting for one host before
// going on with another.
func (f *fleet) floor(hosts int, command string) measure {
	return timed(func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, h := range f.Hosts[:hosts] {
			group.Go(func() error {
				c, err := dial(ctx, h.Addr(), "root", f.Signer, h.HostKey)
				if err != nil {
					return err
				}
				defer func() { _ = c.Close() }()
				return runIn(c, command, nil, nil)
			})
		}
		return group.Wait()
	})
}
