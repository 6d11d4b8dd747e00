// Provider shows how a provider of your own is made and used: its machines stand
// ready in a rack, and a server takes one of them. See spares.go, and
// spares_test.go for the suite that it has to pass.
//
//	provider -inventory machines.txt -claims /var/lib/claims -key ~/.ssh/id_ed25519
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
)

func main() {
	s := &spares{}
	flag.StringVar(&s.inventory, "inventory", "machines.txt", "file with an address in each line")
	flag.StringVar(&s.claims, "claims", "claims", "directory that says which machine is taken; it exists")
	key := flag.String("key", "", "private key that root of each machine accepts")
	stateFile := flag.String("state", "", "file for what it knows, so that it goes on when it is started again (default in memory)")
	flag.Parse()
	if err := run(s, *key, *stateFile); err != nil {
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

func run(s *spares, keyFile, stateFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pem, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	s.signers = []ssh.Signer{key}

	kept, err := state.Open(ctx, stateFile)
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	f, err := forge.New(forge.Config{
		Store: kept.Store, Sealer: kept.Sealer,
		Providers: map[string]provider.Provider{"rack": s},
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
		Name: "web-1", Provider: "rack", IdempotencyKey: "web-1", // with -state, a repeated run finds it again
	})
	if err != nil {
		return err
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		return err
	}
	if server, err = f.Servers.Get(ctx, server.ID); err != nil {
		return err
	}
	fmt.Println(server.Name, "is", server.Status, "at", server.Address)
	return nil
}
