package hetzner_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]fake.Config{
		"at once":     {},
		"takes time":  {Missing: 2, Boot: 30 * time.Millisecond},
		"few at once": {PerHour: 3600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, cfg)
			foreign := w.api.AddServer("database", map[string]string{"forge": "staging", "forge-id": "x"})
			providertest.Test(t, w.Provider, &providertest.Options{
				Spec:      func(n int) provider.Spec { return provider.Spec{Size: []string{"cx23", "cax11"}[n]} },
				UnknownID: "4710001",
				Timeout:   time.Minute,
				Poll:      time.Millisecond,
				NoLogin:   true, // there is no machine behind the API
			})
			require.Equal(t, 2, w.api.Made(), "the suite spares machines")
			require.Empty(t, w.api.Keys())
			require.Len(t, w.api.Servers(), 1)
			require.Equal(t, foreign, w.api.Servers()[0].ID)
		})
	}
}
