package postgres_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

// BenchmarkContention has 24 change one record, and each one of its own. It
// reports how often the function of an update ran.
func BenchmarkContention(b *testing.B) {
	const workers = 24
	for name, records := range map[string]int{"One": 1, "Apart": workers} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			key := func(n int) string { return fmt.Sprintf("server-%d", n%records) }
			update(b, s, func(tx forge.Tx) error {
				for n := range records {
					if err := tx.Locks().Insert(&forge.Lock{Key: key(n)}); err != nil {
						return err
					}
				}
				return nil
			})
			var left, runs atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var group errgroup.Group
			for n := range workers {
				group.Go(func() error {
					for left.Add(-1) >= 0 {
						err := s.Update(b.Context(), func(tx forge.Tx) error {
							runs.Add(1)
							l, err := tx.Locks().Get(key(n))
							if err != nil {
								return err
							}
							l.Fence++
							return tx.Locks().Update(l)
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(b, group.Wait())
			b.ReportMetric(float64(runs.Load())/float64(b.N), "runs/op")
		})
	}
}
