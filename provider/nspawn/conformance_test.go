package nspawn_test

import (
	"testing"
	"time"

	"github.com/seed-797f2c2c/forge/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Test(t, newProvider(t), &providertest.Options{
		UnknownID: "fm-aaaaaaaaaaaa",
		Timeout:   time.Minute,
		Poll:      20 * time.Millisecond,
	})
}
