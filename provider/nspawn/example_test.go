package nspawn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func Example() {
	ctx := context.Background()
	p, err := nspawn.New(nspawn.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Validate(ctx); err != nil {
		log.Fatal(err) // says what to install
	}
	m, err := p.Create(ctx, provider.Spec{
		ID:            "web-1",
		Name:          "web-1.example.test",
		Image:         "debian-12",
		AuthorizedKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkhCuaH/3kNJ9Xh0eLzHVXzVUCb4/1Gfm2f0vjWvMqm",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := p.Delete(ctx, m.ID); err != nil {
			log.Fatal(err)
		}
	}()
	fmt.Printf("ssh root@%s\n", m.Address)
}
