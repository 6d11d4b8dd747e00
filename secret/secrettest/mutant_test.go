package secrettest_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/seed-797f2c2c/forge/secret"
)

// broken replaces methods of a sound Rotator.
type broken struct {
	secret.Rotator
	seal  func(context.Context, secret.Secret, string) (secret.Sealed, error)
	open  func(context.Context, secret.Sealed, string) (secret.Secret, error)
	keys  func() []string
	keyOf func(secret.Sealed) string
}

func (b broken) Seal(ctx context.Context, s secret.Secret, place string) (secret.Sealed, error) {
	if b.seal == nil {
		return b.Rotator.Seal(ctx, s, place)
	}
	return b.seal(ctx, s, place)
}

func (b broken) Open(ctx context.Context, sealed secret.Sealed, place string) (secret.Secret, error) {
	if b.open == nil {
		return b.Rotator.Open(ctx, sealed, place)
	}
	return b.open(ctx, sealed, place)
}

func (b broken) Keys() []string {
	if b.keys == nil {
		return b.Rotator.Keys()
	}
	return b.keys()
}

func (b broken) KeyOf(sealed secret.Sealed) string {
	if b.keyOf == nil {
		return b.Rotator.KeyOf(sealed)
	}
	return b.keyOf(sealed)
}

type mutant struct {
	name  string
	wrap  func(secret.Rotator) secret.Sealer
	fails []string // at least
}

func mutants() []mutant {
	return []mutant{
		{"sound", func(r secret.Rotator) secret.Sealer { return broken{Rotator: r} }, nil},
		{"does not seal", func(r secret.Rotator) secret.Sealer {
			return broken{
				Rotator: r,
				seal: func(_ context.Context, s secret.Secret, _ string) (secret.Sealed, error) {
					return secret.Sealed("sealed:" + s.Reveal()), nil
				},
				open: func(_ context.Context, sealed secret.Sealed, _ string) (secret.Secret, error) {
					return secret.New(string(sealed[min(len(sealed), 7):])), nil
				},
			}
		}, []string{"BindsToThePlace", "RefusesWhatWasChanged", "RefusesWhatAnotherSealed", "HidesTheValue", "NeverRepeatsItself", "NamesItsKeys"}},
		{"takes no notice of the place", func(r secret.Rotator) secret.Sealer {
			return broken{
				Rotator: r,
				seal:    func(ctx context.Context, s secret.Secret, _ string) (secret.Sealed, error) { return r.Seal(ctx, s, "") },
				open: func(ctx context.Context, sealed secret.Sealed, _ string) (secret.Secret, error) {
					return r.Open(ctx, sealed, "")
				},
			}
		}, []string{"BindsToThePlace", "OpensAfterARotation"}},
		{"has an error of its own", func(r secret.Rotator) secret.Sealer {
			return broken{Rotator: r, open: func(ctx context.Context, sealed secret.Sealed, place string) (secret.Secret, error) {
				s, err := r.Open(ctx, sealed, place)
				if err != nil {
					err = errors.New("does not open")
				}
				return s, err
			}}
		}, []string{"BindsToThePlace", "RefusesWhatWasChanged", "RefusesWhatAnotherSealed"}},
		{"repeats itself", repeats, []string{"NeverRepeatsItself"}},
		{"seals nothing as nothing", func(r secret.Rotator) secret.Sealer {
			return broken{Rotator: r, seal: func(ctx context.Context, s secret.Secret, place string) (secret.Sealed, error) {
				if s.Empty() {
					return nil, nil
				}
				return r.Seal(ctx, s, place)
			}}
		}, []string{"OpensWhatItSealed"}},
		{"writes over what it opens", func(r secret.Rotator) secret.Sealer {
			return broken{Rotator: r, open: func(ctx context.Context, sealed secret.Sealed, place string) (secret.Secret, error) {
				s, err := r.Open(ctx, sealed, place)
				clear(sealed)
				return s, err
			}}
		}, []string{"LeavesItsArgumentsAlone"}},
		{"bounds its values", func(r secret.Rotator) secret.Sealer {
			return broken{Rotator: r, seal: func(ctx context.Context, s secret.Secret, place string) (secret.Sealed, error) {
				if len(s.Reveal()) > 1<<20 {
					return nil, errors.New("too large")
				}
				return r.Seal(ctx, s, place)
			}}
		}, []string{"OpensLargeValues"}},
		{"names the keys in another order", func(r secret.Rotator) secret.Sealer {
			return broken{Rotator: r, keys: func() []string {
				keys := r.Keys()
				slices.Reverse(keys)
				return keys
			}}
		}, []string{"OpensAfterARotation"}},
		{"names its own key alone", func(r secret.Rotator) secret.Sealer {
			return broken{Rotator: r, keyOf: func(secret.Sealed) string { return r.Keys()[0] }}
		}, []string{"NamesItsKeys", "OpensAfterARotation"}},
	}
}

// repeats seals the same value for the same place as the same.
func repeats(r secret.Rotator) secret.Sealer {
	var mu sync.Mutex
	sealed := map[[2]string]secret.Sealed{}
	return broken{Rotator: r, seal: func(ctx context.Context, s secret.Secret, place string) (secret.Sealed, error) {
		mu.Lock()
		defer mu.Unlock()
		at := [2]string{s.Reveal(), place}
		if sealed[at] == nil {
			var err error
			if sealed[at], err = r.Seal(ctx, s, place); err != nil {
				return nil, err
			}
		}
		return slices.Clone(sealed[at]), nil
	}}
}
