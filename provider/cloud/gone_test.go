package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestWaitGone(t *testing.T) {
	t.Parallel()
	const id = "7"
	missing, refused := fmt.Errorf("%w: %q", provider.ErrNotFound, id), errors.New("the order did not arrive")
	tests := map[string]struct {
		answers []error // by turns; then the last again
		still   func(string) error
		err     error
		took    time.Duration
	}{
		"at once":     {answers: []error{missing}},
		"in a while":  {answers: []error{nil, nil, missing}, took: 4 * time.Second},
		"no answer":   {answers: []error{nil, provider.ErrPermission}, err: provider.ErrPermission, took: 2 * time.Second},
		"never":       {answers: []error{nil}, err: provider.ErrUnavailable, took: 62 * time.Second},
		"on its way":  {answers: []error{nil, missing}, still: func(string) error { return nil }, took: 2 * time.Second},
		"not ordered": {answers: []error{nil}, still: func(string) error { return refused }, err: refused},
		// A reason that says "not found" is none for taking what is there for gone.
		"a doubt": {answers: []error{nil}, still: func(string) error { return missing }, err: missing},
		"gone":    {answers: []error{missing}, still: func(string) error { return refused }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := cloud.WaitGone(t.Context(), "droplet", id, func(_ context.Context, asked string) (string, error) {
					require.Equal(t, id, asked)
					answer := test.answers[0]
					if len(test.answers) > 1 {
						test.answers = test.answers[1:]
					}
					return "droplet " + asked, answer
				}, test.still)
				require.ErrorIs(t, err, test.err)
				if test.err == provider.ErrUnavailable { //nolint:errorlint // which row it is
					require.ErrorContains(t, err, "the droplet is still there")
				}
				require.Equal(t, test.took, time.Since(began))
			})
		})
	}
}

func TestWaitGoneEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := cloud.WaitGone(ctx, "server", "7", func(context.Context, string) (int, error) { return 7, nil }, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, cloud.Sleep(t.Context(), time.Hour))
		require.Equal(t, time.Hour, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, cloud.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Hour+time.Minute, time.Since(began))
	})
}
