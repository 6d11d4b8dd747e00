package nspawn_test

import (
	"testing"
	"time"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	requireConforms(t, newProvider(t))
}

func TestCloudInitConforms(t *testing.T) {
	t.Parallel()
	requireConforms(t, testmachine.Provider(t, nspawn.Config{CloudInit: true}))
}

func requireConforms(t *testing.T, p provider.Provider) {
	providertest.Test(t, p, &providertest.Options{
		UnknownID: "fm-aaaaaaaaaaaa",
		Timeout:   time.Minute,
		Poll:      20 * time.Millisecond,
	})
}
