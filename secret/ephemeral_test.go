package secret_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/secrettest"
)

func TestEphemeralOpensWhatItSealed(t *testing.T) {
	t.Parallel()
	sealer := secret.NewEphemeral()
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.String().Draw(rt, "value")
		place := rapid.String().Draw(rt, "place")

		sealed, err := sealer.Seal(t.Context(), secret.New(value), place)
		require.NoError(rt, err)
		opened, err := sealer.Open(t.Context(), sealed, place)
		require.NoError(rt, err)
		require.Equal(rt, value, opened.Reveal())
	})
}

func TestEphemeralRefuses(t *testing.T) {
	t.Parallel()
	const place = "servers/1/control_key"
	sealer := secret.NewEphemeral()
	sealed, err := sealer.Seal(t.Context(), secret.New(value), place)
	require.NoError(t, err)

	refused := func(sealer secret.Sealer, sealed secret.Sealed, place string) {
		t.Helper()
		opened, err := sealer.Open(t.Context(), sealed, place)
		require.ErrorIs(t, err, secret.ErrNotAuthentic)
		require.True(t, opened.Empty())
	}
	refused(sealer, sealed, "servers/2/control_key")
	refused(sealer, sealed, "")
	refused(secret.NewEphemeral(), sealed, place)
	for n := range sealed {
		refused(sealer, sealed[:n], place)
		changed := bytes.Clone(sealed)
		changed[n] ^= 1
		refused(sealer, changed, place)
	}
}

func TestEphemeralNeverRepeatsItself(t *testing.T) {
	t.Parallel()
	sealer := secret.NewEphemeral()
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := make(map[string]bool)
	for range 100 {
		wg.Go(func() {
			sealed, _ := sealer.Seal(t.Context(), secret.New(value), "place")
			mu.Lock()
			defer mu.Unlock()
			seen[string(sealed)] = true
		})
	}
	wg.Wait()
	require.Len(t, seen, 100)
	for sealed := range seen {
		require.NotContains(t, sealed, value)
	}
}

func TestEphemeralConforms(t *testing.T) {
	t.Parallel()
	secrettest.Test(t, func(*testing.T) secret.Sealer { return secret.NewEphemeral() }, nil)
}

func BenchmarkEphemeral(b *testing.B) {
	secrettest.Benchmark(b, func(*testing.B) secret.Sealer { return secret.NewEphemeral() })
}
