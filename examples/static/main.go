// Static takes over a machine that exists: it logs in with a key that the
// machine accepts already, pins the host key that it is told, installs nginx
// and PHP, and prints every line while that happens.
//
//	static -host 192.0.2.7 -key ~/.ssh/id_ed25519 -hostkey "ssh-ed25519 AAAA..."
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/state"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
)

func main() {
	host := flag.String("host", "", "address of the machine")
	keyFile := flag.String("key", "", "private key that root of the machine accepts")
	hostKey := flag.String("hostkey", "", "the machine's host key, as ssh-keyscan prints it behind the name (default: pin the first one seen)")
	stateFile := flag.String("state", "", "file for what it knows, so that it goes on when it is started again (default in memory)")
	flag.Parse()
	if err := run(*host, *keyFile, *hostKey, *stateFile); err != nil {
		fmt.Fprintln(os.Stderr, "static:", err)
		os.Exit(1)
	}
}

func run(host, keyFile, hostKey, stateFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	machines, err := newProvider(keyFile, hostKey)
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
		Providers: map[string]provider.Provider{"own": machines},
	})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	work, stopWork := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() { worked <- f.Run(work) }()
	defer func() { stopWork(); <-worked }()

	server, action, err := f.Servers.Create(ctx, forge.ServerOpts{
		IdempotencyKey: host, // with -state, a repeated run goes on with what the first one made
		Name:           "web-1", Provider: "own", Address: host, Image: "debian-12",
		Stack: forge.Stack{PHP: []string{"8.2"}},
	})
	if err != nil {
		return err
	}
	for line, err := range f.Actions.Follow(ctx, action.ID, 0) {
		if err != nil {
			return err
		}
		fmt.Println(line.Printable())
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		return err
	}
	result, err := f.Servers.Run(ctx, server.ID, forge.RunOpts{User: "root", Script: "nginx -v 2>&1; php -v | head -1"})
	if err != nil {
		return err
	}
	fmt.Printf("%s", result.Stdout)
	return nil
}

// newProvider logs in with the key of a file for the first time; after that,
// each server has a control key of its own.
func newProvider(keyFile, hostKey string) (provider.Provider, error) {
	pem, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	cfg := static.Config{Signers: []ssh.Signer{key}}
	if hostKey != "" {
		known, _, _, _, err := ssh.ParseAuthorizedKey([]byte(hostKey))
		if err != nil {
			return nil, fmt.Errorf("host key: %w", err)
		}
		cfg.HostKeys = func(context.Context, string) ([]ssh.PublicKey, error) { return []ssh.PublicKey{known}, nil }
	}
	return static.New(cfg), nil
}
