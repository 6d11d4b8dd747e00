// Steps installs a server the way a platform inside a company does: with steps
// of its own before and after the stack's, and by the company's proxy and
// mirror, if there are any. It fails the last step once, to show that Retry goes
// on there. It needs root, as its server is a machine on this Linux box, which is
// removed in the end. With -state FILE it stays, and a start after a kill goes on.
//
//	steps -proxy http://proxy.corp.example:3128 -mirror http://packages.corp.example/debian
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/state"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func main() {
	proxy := flag.String("proxy", "", "URL of the proxy to the web (default: none)")
	mirror := flag.String("mirror", "", "URL of a mirror of Debian's archive (default: Debian's own)")
	stateFile := flag.String("state", "", "file for what it knows, so that it goes on when it is started again (default in memory)")
	flag.Parse()
	if err := run(*proxy, *mirror, *stateFile); err != nil {
		fmt.Fprintln(os.Stderr, "steps:", err)
		os.Exit(1)
	}
}

// stack has a step before everything, which is skipped when it was done, and two
// after it. The last one fails the first time.
func stack(proxy, mirror string) forge.Stack {
	return forge.Stack{
		HTTPProxy: proxy, AptMirror: mirror,
		Before: []forge.Step{{
			Name:   "message of the day",
			Script: `echo "looked after by forge" >/etc/motd`,
			Check:  `grep -q forge /etc/motd`,
		}},
		After: []forge.Step{
			{Name: "tree", Script: "apt-get -qq -y install tree", Check: "command -v tree"},
			{Name: "a step that fails once", Script: "[[ -e /var/tmp/tried ]] || { : >/var/tmp/tried; echo 'not yet' >&2; exit 7; }"},
		},
	}
}

func run(proxy, mirror, stateFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	machines, err := nspawn.New(nspawn.Config{})
	if err != nil {
		return err
	}
	kept, err := state.Open(ctx, stateFile)
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	f, err := forge.New(forge.Config{
		Store: kept.Store, Sealer: kept.Sealer,
		Providers: map[string]provider.Provider{"local": machines},
	})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	worked := make(chan error, 1)
	go func() { worked <- f.Run(work) }()
	defer func() { stopWork(); <-worked }()

	server, _, err := f.Servers.Create(ctx, forge.ServerOpts{
		Name: "web-1", Provider: "local", Stack: stack(proxy, mirror),
		Labels: map[string]string{"made-by": "steps"}, IdempotencyKey: "web-1",
	})
	if err != nil {
		return err
	}
	if stateFile == "" { // otherwise the next start goes on with it
		defer remove(context.WithoutCancel(ctx), f, server.ID)
	}
	// The newest, as a run that was killed may have come to the retry.
	subject := forge.Subject{Kind: forge.SubjectServer, ID: server.ID}
	installs, err := f.Actions.List(ctx, forge.ActionFilter{Subject: subject, Kind: forge.KindCreateServer}, forge.Page{Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	err = follow(ctx, f, installs[0].ID)
	if !errors.Is(err, forge.ErrFailed) {
		return err
	}
	fmt.Println("failed, as it should:", err)
	action, err := f.Servers.Retry(ctx, server.ID)
	if err != nil {
		return err
	}
	return follow(ctx, f, action.ID)
}

// follow prints where the installation is, and its end.
func follow(ctx context.Context, f *forge.Forge, action string) error {
	for line, err := range f.Actions.Follow(ctx, action, 0) {
		if err != nil {
			return err
		}
		fmt.Println(line.Printable())
	}
	_, err := f.Actions.Wait(ctx, action)
	return err
}

func remove(ctx context.Context, f *forge.Forge, server string) {
	action, err := f.Servers.Delete(ctx, server, nil)
	if err == nil {
		_, err = f.Actions.Wait(ctx, action.ID)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "steps: the server is left:", err)
	}
}
