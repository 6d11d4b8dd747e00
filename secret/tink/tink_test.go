package tink_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/secrettest"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

func newKeyset(t testing.TB) *tink.Keyset {
	k, err := tink.New()
	require.NoError(t, err)
	return k
}

func TestKeysetConforms(t *testing.T) {
	t.Parallel()
	secrettest.Test(t, func(t *testing.T) secret.Sealer { return newKeyset(t) }, &secrettest.Options{
		Rotate: func(t *testing.T, s secret.Sealer) secret.Sealer {
			k, err := s.(*tink.Keyset).Rotate()
			require.NoError(t, err)
			return k
		},
		Again: func(t *testing.T, s secret.Sealer) secret.Sealer {
			file := t.TempDir() + "/keyset.json"
			require.NoError(t, s.(*tink.Keyset).Save(file))
			k, err := tink.Open(file)
			require.NoError(t, err)
			return k
		},
	})
}

func BenchmarkKeyset(b *testing.B) {
	secrettest.Benchmark(b, func(b *testing.B) secret.Sealer { return newKeyset(b) })
}

const (
	value = "correct horse battery staple"
	place = "servers/1/control_key"
)

func seal(t *testing.T, s secret.Sealer) secret.Sealed {
	t.Helper()
	sealed, err := s.Seal(t.Context(), secret.New(value), place)
	require.NoError(t, err)
	return sealed
}

func requireOpens(t *testing.T, s secret.Sealer, sealed secret.Sealed) {
	t.Helper()
	opened, err := s.Open(t.Context(), sealed, place)
	require.NoError(t, err)
	require.Equal(t, value, opened.Reveal())
}

// requireRefuses checks that a value does not open, and what is said of it.
func requireRefuses(t *testing.T, s secret.Sealer, sealed secret.Sealed, place, why string) {
	t.Helper()
	_, err := s.Open(t.Context(), sealed, place)
	require.ErrorIs(t, err, secret.ErrNotAuthentic)
	require.ErrorContains(t, err, fmt.Sprintf("open %q: %s", place, why))
}

func TestOpenSaysWhichKeyIsMissing(t *testing.T) {
	t.Parallel()
	first := newKeyset(t)
	id := first.Keys()[0]
	sealed := seal(t, first)

	requireRefuses(t, newKeyset(t), sealed, place, "it was sealed with key "+id+", which is not in the keyset")
	requireRefuses(t, first, sealed, "servers/2/control_key", "it says that it was sealed with key "+id)
	ephemeral := secret.Sealed("\x00 no prefix of a keyset's")
	requireRefuses(t, first, ephemeral, place, "it was sealed by something else than a Tink keyset")

	second, err := first.Rotate()
	require.NoError(t, err)
	second, err = second.Disable(id)
	require.NoError(t, err)
	requireRefuses(t, second, sealed, place, "it was sealed with key "+id+", which is disabled in the keyset")
}

func TestRotationStepByStep(t *testing.T) {
	t.Parallel()
	first := newKeyset(t)
	old := first.Keys()[0]
	sealed := seal(t, first)

	added, id, err := first.Add()
	require.NoError(t, err)
	require.Equal(t, []tink.KeyInfo{{ID: old, Primary: true}, {ID: id}}, added.Info())
	require.Equal(t, []string{old, id}, added.Keys())
	require.Equal(t, old, added.KeyOf(seal(t, added)), "a new key seals nothing yet")
	require.Equal(t, []string{old}, first.Keys(), "a keyset does not change")

	promoted, err := added.Promote(id)
	require.NoError(t, err)
	require.Equal(t, []tink.KeyInfo{{ID: old}, {ID: id, Primary: true}}, promoted.Info())
	anew := seal(t, promoted)
	require.Equal(t, id, promoted.KeyOf(anew))
	requireOpens(t, promoted, sealed)
	requireOpens(t, added, anew)

	disabled, err := promoted.Disable(old)
	require.NoError(t, err)
	require.Equal(t, []tink.KeyInfo{{ID: old, Disabled: true}, {ID: id, Primary: true}}, disabled.Info())
	require.Equal(t, []string{id}, disabled.Keys())
	enabled, err := disabled.Enable(old)
	require.NoError(t, err)
	requireOpens(t, enabled, sealed)

	removed, err := disabled.Remove(old)
	require.NoError(t, err)
	require.Equal(t, []tink.KeyInfo{{ID: id, Primary: true}}, removed.Info())
	requireOpens(t, removed, anew)
}

func TestRotationRefuses(t *testing.T) {
	t.Parallel()
	first := newKeyset(t)
	k, err := first.Rotate()
	require.NoError(t, err)
	old, primary := first.Keys()[0], k.Keys()[0]
	disabled, err := k.Disable(old)
	require.NoError(t, err)

	refused := func(_ *tink.Keyset, err error) func(says string) {
		return func(says string) { t.Helper(); require.EqualError(t, err, says) }
	}
	refused(k.Disable(primary))("key " + primary + " is the primary one: promote another first")
	refused(disabled.Remove(primary))("key " + primary + " is the primary one: promote another first")
	refused(disabled.Promote(old))("key " + old + " is disabled: enable it first")
	refused(k.Remove(old))("key " + old + " is enabled: disable and save it first, and remove it when nothing has asked for it")
	for _, none := range []string{"", "1", "0" + old, "no number"} {
		says := fmt.Sprintf("there is no key %q in the keyset", none)
		refused(k.Promote(none))(says)
		refused(k.Disable(none))(says)
		refused(k.Enable(none))(says)
		refused(k.Remove(none))(says)
	}
}

func TestKeysetDoesNotPrintKeys(t *testing.T) {
	t.Parallel()
	k := newKeyset(t)
	text := k.Text().Reveal()
	require.Contains(t, text, k.Keys()[0])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, printed := range []string{fmt.Sprintf(verb, k), fmt.Sprintf(verb, *k), fmt.Sprintf(verb, struct{ k *tink.Keyset }{k})} {
			require.Less(t, len(printed), 600, "%s", printed)
			require.NotContains(t, printed, "key_data")
			require.NotContains(t, printed, "value:")
		}
	}
}
