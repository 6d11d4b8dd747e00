package forge_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// newCloud is a Forge with a made-up cloud.
func newCloud() (*forge.Forge, *providertest.FakeCloud) {
	cloud := providertest.NewFakeCloud(providertest.FakeConfig{})
	f, err := forge.New(forge.Config{
		Store:     memory.New(memory.Config{}),
		Providers: map[string]provider.Provider{"cloud": cloud},
	})
	if err != nil {
		log.Fatal(err)
	}
	return f, cloud
}

// What a provider offers, for a form or for the price on a button.
func ExampleServers_Catalog() {
	f, _ := newCloud()
	catalog, err := f.Servers.Catalog(context.Background(), "cloud")
	if err != nil {
		log.Fatal(err)
	}
	for _, size := range catalog.Sizes {
		for _, offer := range size.Offers {
			fmt.Println(size.Name, size.Cores, size.MemoryMB, offer.Region, offer.Price.Monthly, offer.Price.Currency)
		}
	}
	// Output:
	// small 1 1024 fra1 4.00 EUR
	// big 4 8192 fra1 40.00 EUR
	// big 4 8192 ams2 44.00 EUR
	// arm 2 4096 fra1 3.50 EUR
}

// A machine that bears forge's mark, and that no server has.
func ExampleServers_Reconcile() {
	ctx := context.Background()
	f, cloud := newCloud()
	if _, err := cloud.Create(ctx, provider.Spec{ID: "of-a-lost-database", Name: "web-1"}); err != nil {
		log.Fatal(err)
	}
	found, err := f.Servers.Reconcile(ctx, "cloud", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range found.Orphans {
		fmt.Println("orphaned:", m.Name, m.SpecID)
	}
	found, err = f.Servers.Reconcile(ctx, "cloud", &forge.ReconcileOpts{Delete: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("deleted:", len(found.Deleted))
	// Output:
	// orphaned: web-1 of-a-lost-database
	// deleted: 1
}
