package providertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

// A create whose answer is lost has made the machine: the next one finds it.
func ExampleFake() {
	ctx := context.Background()
	fake := providertest.NewFake(providertest.FakeConfig{
		Boot: providertest.Boot{Missing: 1, Pending: 1},
	})
	fake.Inject(providertest.OpCreate, providertest.Fault{Lost: true})

	spec := provider.Spec{ID: "s1", Name: "web-1"}
	_, err := fake.Create(ctx, spec)
	fmt.Println("create:", errors.Is(err, provider.ErrUnavailable))
	m, err := fake.Create(ctx, spec)
	if err != nil {
		panic(err)
	}
	for range 3 {
		if m, err := fake.Get(ctx, m.ID); err != nil {
			fmt.Println("get:", err)
		} else {
			fmt.Println("get:", m.Status)
		}
	}
	fmt.Println("made:", fake.Made())
	// Output:
	// create: true
	// get: fake: machine not found: "fake-1"
	// get: pending
	// get: active
	// made: 1
}

// An adapter's tests call the suite with what its machines need.
func ExampleTest() {
	testCloud := func(t *testing.T, cloud provider.Provider) {
		providertest.Test(t, cloud, &providertest.Options{
			Spec: func(int) provider.Spec {
				return provider.Spec{Region: "fra1", Size: "s-1vcpu-1gb", Image: "debian-12"}
			},
			UnknownID: "1",
		})
	}
	_ = testCloud
}
