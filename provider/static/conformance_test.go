package static_test

import (
	"testing"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/static"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Test(t, static.New(static.Config{}), &providertest.Options{
		Spec: func(n int) provider.Spec {
			return provider.Spec{Address: []string{"192.0.2.1", "192.0.2.2"}[n]}
		},
		UnknownID: "root@192.0.2.3",
		Timeout:   time.Second,
		NoLogin:   true, // no machine has a documentation address
	})
}
