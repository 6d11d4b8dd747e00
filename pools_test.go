package forge_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// asked is a queue that keeps which pools it was told to run.
type asked struct{ pools queue.Pools }

func (*asked) Enqueue(context.Context, ...queue.Job) error { return nil }

func (q *asked) Run(_ context.Context, pools queue.Pools, _ queue.Handler) error {
	q.pools = pools
	return nil
}

func TestPoolsOfWorkers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config queue.Pools
		names  []string
		want   queue.Pools
	}{
		"the defaults":     {want: queue.Pools{"provision": 3, "deploy": 5, "ssh": 8, "keys": 64, "default": 2}},
		"other numbers":    {config: queue.Pools{"ssh": 20, "deploy": 0}, want: queue.Pools{"provision": 3, "deploy": 0, "ssh": 20, "keys": 64, "default": 2}},
		"some of them":     {names: []string{"ssh", "default"}, want: queue.Pools{"ssh": 8, "default": 2}},
		"a pool of no one": {config: queue.Pools{"redis": 1}},
		"a negative one":   {config: queue.Pools{"ssh": -1}},
		"an unknown name":  {names: []string{"redis"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &asked{}
			f, err := forge.New(forge.Config{Store: memory.New(memory.Config{}), Queue: q, Pools: tt.config})
			if err == nil {
				defer func() { require.NoError(t, f.Close()) }()
				err = f.Run(t.Context(), tt.names...)
			}
			if tt.want == nil {
				require.ErrorIs(t, err, forge.ErrInvalid)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, q.pools)
		})
	}
}
