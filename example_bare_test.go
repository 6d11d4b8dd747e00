package forge_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// A machine that exists becomes a server on which nothing is installed: forge says
// who logs in, and runs commands. Its control key is replaced when it is too old.
func ExampleKeys_RotateControl() {
	ctx := context.Background()
	machine, err := sshtest.Start(&sshtest.Options{AnyKey: true, Handler: func(context.Context, *sshtest.Exec) int { return 0 }})
	if err != nil {
		log.Fatal(err)
	}
	f, err := forge.New(forge.Config{
		Store: memory.New(memory.Config{}),
		Providers: map[string]provider.Provider{"own": static.New(static.Config{
			// The machine stands for one at 192.0.2.7, with your own key in Signers.
			Dial: func(context.Context, string, int) (net.Conn, error) { return net.Dial("tcp", machine.Addr) },
		})},
	})
	if err != nil {
		log.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(running) }()

	server, action, err := f.Servers.Create(ctx, forge.ServerOpts{
		Name: "db-1", Provider: "own", Address: "192.0.2.7", Bare: true, Labels: map[string]string{"role": "db"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}

	server, err = f.Servers.Get(ctx, server.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("too old:", time.Since(server.ControlKeyMade) > 90*24*time.Hour)
	action, err = f.Keys.RotateControl(ctx, forge.Selector{Labels: map[string]string{"role": "db"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err) // names the servers that keep their old key, each with its reason
	}
	rotated, err := f.Servers.Get(ctx, server.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("another key:", rotated.PublicKey != server.PublicKey)

	stop()
	if err := errors.Join(<-ended, f.Close()); err != nil {
		log.Fatal(err)
	}
	machine.Close()
	// Output:
	// too old: false
	// another key: true
}
