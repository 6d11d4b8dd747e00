// Package secrettest is the conformance suite of [secret.Sealer]. An adapter calls
// [Test] and [Benchmark] from its own tests.
package secrettest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/secret"
)

// Options say what the suite has to know about an adapter. The zero value works
// for one that is no [secret.Rotator].
type Options struct {
	// Rotate returns the Sealer with a new key that seals from now on, beside those
	// that it has. Required for a Rotator.
	Rotate func(t *testing.T, s secret.Sealer) secret.Sealer
	// Again returns another Sealer with the same keys, as after a new start.
	// Defaults to leaving that out, which suits keys that are not kept.
	Again func(t *testing.T, s secret.Sealer) secret.Sealer
}

// Test runs the suite. newSealer returns a Sealer with keys of its own.
func Test(t *testing.T, newSealer func(t *testing.T) secret.Sealer, opts *Options) {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"OpensWhatItSealed", opensWhatItSealed},
		{"OpensLargeValues", opensLarge},
		{"BindsToThePlace", bindsToThePlace},
		{"RefusesWhatWasChanged", refusesChanged},
		{"RefusesWhatAnotherSealed", refusesForeign},
		{"HidesTheValue", hides},
		{"NeverRepeatsItself", neverRepeats},
		{"LeavesItsArgumentsAlone", leavesArguments},
		{"ServesManyAtOnce", servesMany},
		{"OpensAfterANewStart", opensAgain},
		{"NamesItsKeys", namesKeys},
		{"OpensAfterARotation", rotates},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&fixture{T: t, s: newSealer(t), another: newSealer, opts: opts})
		})
	}
}

const (
	value = "correct horse battery staple"
	place = "servers/1/control_key"
)

// fixture is a Sealer under test and what the tests do with it.
type fixture struct {
	*testing.T
	s       secret.Sealer
	another func(*testing.T) secret.Sealer
	opts    *Options
}

func (f *fixture) seal(s secret.Sealer, value, place string) secret.Sealed {
	f.Helper()
	sealed, err := s.Seal(f.Context(), secret.New(value), place)
	require.NoError(f, err)
	require.NotEmpty(f, sealed, "an empty value is told from none by what it is sealed as")
	return sealed
}

func (f *fixture) opens(s secret.Sealer, sealed secret.Sealed, place, want string) {
	f.Helper()
	opened, err := s.Open(f.Context(), sealed, place)
	require.NoError(f, err)
	require.True(f, want == opened.Reveal(), "what was opened is not what was sealed")
}

func (f *fixture) refuses(s secret.Sealer, sealed secret.Sealed, place string) {
	f.Helper()
	opened, err := s.Open(f.Context(), sealed, place)
	require.ErrorIs(f, err, secret.ErrNotAuthentic)
	require.NotContains(f, err.Error(), value)
	require.True(f, opened.Empty())
}

func opensWhatItSealed(f *fixture) {
	rapid.Check(f, func(t *rapid.T) {
		value := string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
		place := rapid.String().Draw(t, "place")
		f.opens(f.s, f.seal(f.s, value, place), place, value)
	})
	f.opens(f.s, f.seal(f.s, "", place), place, "")
}

func opensLarge(f *fixture) {
	large := string(bytes.Repeat([]byte("0123456789abcde\n"), 4<<20/16))
	f.opens(f.s, f.seal(f.s, large, place), place, large)
}

func bindsToThePlace(f *fixture) {
	sealed := f.seal(f.s, value, place)
	for _, other := range []string{"servers/2/control_key", "servers/1/control_ke", place + "s", place + "\x00", ""} {
		f.refuses(f.s, sealed, other)
	}
}

func refusesChanged(f *fixture) {
	sealed := f.seal(f.s, value, place)
	f.refuses(f.s, nil, place)
	f.refuses(f.s, append(bytes.Clone(sealed), 0), place)
	f.refuses(f.s, append(bytes.Clone(sealed), sealed...), place)
	for n := range sealed {
		f.refuses(f.s, sealed[:n], place)
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[n] ^= 1 << bit
			f.refuses(f.s, changed, place)
		}
	}
}

func refusesForeign(f *fixture) {
	f.refuses(f.s, f.seal(f.another(f.T), value, place), place)
	f.refuses(f.s, secret.Sealed(value), place)
	f.refuses(f.s, bytes.Repeat([]byte{0}, 100), place)
	f.refuses(f.s, bytes.Repeat([]byte{1}, 100), place)
}

func hides(f *fixture) {
	sealed := f.seal(f.s, value, place)
	for part := range len(value) - 3 {
		require.NotContains(f, string(sealed), value[part:part+4])
	}
}

func neverRepeats(f *fixture) {
	seen := make(map[string]bool)
	for range 100 {
		seen[string(f.seal(f.s, value, place))] = true
	}
	require.Len(f, seen, 100, "who reads the store sees which values are alike")
}

func leavesArguments(f *fixture) {
	sealed := f.seal(f.s, value, place)
	before := bytes.Clone(sealed)
	f.opens(f.s, sealed, place, value)
	f.refuses(f.s, sealed, "")
	require.True(f, bytes.Equal(before, sealed))
	opened, err := f.s.Open(f.Context(), sealed, place)
	require.NoError(f, err)
	clear(sealed)
	require.Equal(f, value, opened.Reveal())
}

func servesMany(f *fixture) {
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for range 20 {
		wg.Go(func() {
			for range 50 {
				sealed, err := f.s.Seal(f.Context(), secret.New(value), place)
				if err == nil {
					_, err = f.s.Open(f.Context(), sealed, place)
				}
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(f, err)
	}
}

func opensAgain(f *fixture) {
	if f.opts.Again == nil {
		f.Skip("Options.Again is not given: the keys are not kept")
	}
	again := f.opts.Again(f.T, f.s)
	f.opens(again, f.seal(f.s, value, place), place, value)
	f.opens(f.s, f.seal(again, value, place), place, value)
}
