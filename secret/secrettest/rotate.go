package secrettest

import (
	"bytes"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/secret"
)

// rotator is the Sealer as what has several keys.
func (f *fixture) rotator() secret.Rotator {
	f.Helper()
	r, ok := f.s.(secret.Rotator)
	if !ok {
		f.Skip("the Sealer is no secret.Rotator: it has one key")
	}
	require.NotNil(f, f.opts.Rotate, "a secret.Rotator needs Options.Rotate")
	return r
}

func namesKeys(f *fixture) {
	r := f.rotator()
	keys := r.Keys()
	require.Len(f, keys, 1, "a new Sealer has one key")
	require.NotEmpty(f, keys[0])
	require.Equal(f, keys[0], r.KeyOf(f.seal(r, value, place)))
	require.Equal(f, keys[0], r.KeyOf(f.seal(r, "", "")))

	other, ok := f.another(f.T).(secret.Rotator)
	require.True(f, ok)
	require.NotEqual(f, keys, other.Keys())
	require.Equal(f, other.Keys()[0], r.KeyOf(f.seal(other, value, place)), "a value says its key, known or not")

	require.Empty(f, r.KeyOf(nil))
	for n := range 100 { // of any length
		_ = r.KeyOf(bytes.Repeat([]byte{0}, n))
		_ = r.KeyOf(bytes.Repeat([]byte{1}, n))
	}
	keys[0] = "changed"
	require.NotEqual(f, keys, r.Keys(), "what Keys returns is the caller's")
}

func rotates(f *fixture) {
	first := f.rotator()
	old := f.seal(first, value, place)
	second, ok := f.opts.Rotate(f.T, first).(secret.Rotator)
	require.True(f, ok, "what was rotated is a Rotator still")

	require.Len(f, second.Keys(), 2)
	require.Equal(f, first.Keys()[0], second.Keys()[1], "the key that seals is the first")
	f.opens(second, old, place, value)
	f.refuses(second, old, "")
	require.Equal(f, first.Keys()[0], second.KeyOf(old))

	anew := f.seal(second, value, place)
	f.opens(second, anew, place, value)
	require.Equal(f, second.Keys()[0], second.KeyOf(anew))
	f.refuses(first, anew, place)
}
