package cloud_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestAftermathOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "kept"))
		leave()
		after, cancel := cloud.Aftermath(ctx)
		defer cancel()
		require.NoError(t, after.Err())
		require.Equal(t, "kept", after.Value(contextKey{}))
		began := time.Now()
		<-after.Done()
		require.ErrorIs(t, after.Err(), context.DeadlineExceeded, "not for ever")
		require.Equal(t, time.Minute, time.Since(began))
	})
}

type contextKey struct{}

func TestLook(t *testing.T) {
	t.Parallel()
	made, cause := new(int), errors.New("no answer")
	tests := map[string]struct {
		answers []any // of find: nil, what it finds, or an error
		cause   error
		n       int
		found   *int
		err     string
		took    time.Duration
	}{
		"at once":            {answers: []any{made}, n: 3, found: made},
		"behind":             {answers: []any{nil, nil, made}, n: 3, found: made, took: 4 * time.Second},
		"nothing":            {answers: []any{nil, nil, nil}, n: 3, took: 4 * time.Second},
		"once":               {answers: []any{nil}, n: 1},
		"an error":           {answers: []any{nil, provider.ErrConflict}, n: 3, err: provider.ErrConflict.Error(), took: 2 * time.Second},
		"an error and cause": {answers: []any{provider.ErrConflict}, cause: cause, n: 3, err: provider.ErrConflict.Error() + " (it was looked for because of: no answer)"},
		"nothing, and cause": {answers: []any{nil}, cause: cause, n: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				found, err := cloud.Look(t.Context(), test.cause, test.n, func() (*int, error) {
					answer := test.answers[asked]
					asked++
					err, _ := answer.(error)
					found, _ := answer.(*int)
					return found, err
				})
				if test.err == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, test.err)
					require.ErrorIs(t, err, provider.ErrConflict)
				}
				if test.cause != nil && err != nil {
					require.ErrorIs(t, err, test.cause)
				}
				require.Same(t, test.found, found)
				require.Len(t, test.answers, asked)
				require.Equal(t, test.took, time.Since(began))
			})
		})
	}
}

// Where the caller has left, what may be there is looked for once.
func TestLookOnceForACallerThatLeft(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	asked := 0
	found, err := cloud.Look(ctx, errors.New("no answer"), 3, func() (*int, error) { asked++; return nil, nil })
	require.NoError(t, err)
	require.Nil(t, found)
	require.Equal(t, 1, asked)
}

func TestUndo(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	full := &provider.RateLimitError{}
	tests := map[string]struct {
		cause, drop error
		drops       int
		err         string
	}{
		"undone":     {cause: provider.ErrQuota, drops: 1, err: provider.ErrQuota.Error()},
		"not undone": {cause: provider.ErrQuota, drop: provider.ErrUnavailable, drops: 1, err: provider.ErrUnavailable.Error() + " (the server was not made: " + provider.ErrQuota.Error() + ")"},
		"rate limit": {cause: full, err: full.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drops := 0
			err := cloud.Undo(ctx, "server", test.cause, func(ctx context.Context) error {
				drops++
				require.NoError(t, ctx.Err(), "also for a caller that has left")
				return test.drop
			})
			require.EqualError(t, err, test.err)
			require.Equal(t, test.drops, drops)
			if test.drop != nil {
				require.ErrorIs(t, err, test.drop, "which is tried again")
				require.NotErrorIs(t, err, test.cause, "which is not")
			} else {
				require.ErrorIs(t, err, test.cause)
			}
		})
	}
}
