package hetzner_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/secret"
)

// A server, with its price before it is made.
func Example() {
	ctx := context.Background()
	p, err := hetzner.New(hetzner.Config{
		Token:  secret.New(os.Getenv("HCLOUD_TOKEN")),
		Region: "fsn1",
		Size:   "cx23",
	})
	if err != nil {
		panic(err)
	}
	if err := p.Validate(ctx); err != nil {
		panic(err) // the token is not good, or may only read
	}
	catalog, err := p.Catalog(ctx)
	if err != nil {
		panic(err)
	}
	if price, ok := catalog.Price("cx23", "fsn1"); ok {
		fmt.Println(price.Monthly, price.Currency, "a month")
	}
	m, err := p.Create(ctx, provider.Spec{
		ID:            "s1",
		Name:          "web-1",
		AuthorizedKey: "ssh-ed25519 AAAA…",
		Labels:        map[string]string{"team": "web"},
	})
	switch {
	case errors.Is(err, provider.ErrCapacity), errors.Is(err, provider.ErrQuota):
		fmt.Println(err) // says what to do
	case err != nil:
		panic(err)
	}
	if srv, ok := provider.As[*hcloud.Server](m); ok {
		fmt.Println(srv.Location.City)
	}
}
