package forge_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// A program that is built on forge is tested without any machine: the cloud is a
// fake, and an SSH server inside the test plays all of its machines.
func Example_fakes() {
	ctx, stop := context.WithCancel(context.Background())
	server, err := sshtest.Start(&sshtest.Options{
		AnyKey:  true,
		Handler: func(context.Context, *sshtest.Exec) int { return 0 },
		Run: func(_ context.Context, run *sshtest.Run) int {
			if run.User == "root" {
				return 0 // the stack is installed
			}
			_, _ = io.WriteString(run.Log, "deploying "+run.Env["FORGE_SITE_DOMAIN"]+"\n")
			return 1
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	cloud := providertest.NewFake(providertest.FakeConfig{
		Dial: func(ctx context.Context, _ provider.Spec) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Addr)
		},
	})
	f, err := forge.New(forge.Config{
		Store: memory.New(memory.Config{}), Providers: map[string]provider.Provider{"cloud": cloud},
	})
	if err != nil {
		log.Fatal(err)
	}
	worked := make(chan error, 1)
	go func() { worked <- f.Run(ctx) }()

	machine, action, err := f.Servers.Create(ctx, forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	_, action, err = f.Sites.Create(ctx, machine.ID, forge.SiteOpts{
		Domain: "example.com", Kind: forge.StaticSite, DeployScript: "make site",
	})
	if err != nil {
		log.Fatal(err)
	}
	for line, err := range f.Actions.Follow(ctx, action.ID, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(line.Text)
	}
	_, err = f.Actions.Wait(ctx, action.ID)
	fmt.Println(err)
	fmt.Println("machines made:", cloud.Made())

	stop()
	<-worked
	_ = f.Close()
	server.Close()
	// Output:
	// setting up example.com
	// deploying example.com
	// exit status 1
	// setup_site failed: exit status 1
	// machines made: 1
}
