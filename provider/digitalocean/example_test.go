package digitalocean_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

func Example() {
	ctx := context.Background()
	p, err := digitalocean.New(digitalocean.Config{
		Token:  secret.New(os.Getenv("DIGITALOCEAN_TOKEN")),
		Region: "fra1",
		Size:   "s-1vcpu-1gb",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Validate(ctx); err != nil {
		log.Fatal(err) // says whether the token is wrong, or lacks a scope
	}
	catalog, err := p.Catalog(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if price, ok := catalog.Price("s-1vcpu-1gb", "fra1"); ok {
		fmt.Printf("%s %s a month\n", price.Monthly, price.Currency)
	}
	m, err := p.Create(ctx, provider.Spec{
		ID:            "web-1",
		Name:          "web-1.example.test",
		AuthorizedKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkhCuaH/3kNJ9Xh0eLzHVXzVUCb4/1Gfm2f0vjWvMqm",
		Labels:        map[string]string{"env": "production"},
		Options:       provider.Options{Monitoring: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	if droplet, ok := provider.As[*godo.Droplet](m); ok {
		fmt.Println(droplet.URN())
	}
	if err := p.Delete(ctx, m.ID); err != nil {
		log.Fatal(err)
	}
}
