package access

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// What is done on many servers costs as much for each of them, over connections
// that are open, as on few.
func BenchmarkServers(b *testing.B) {
	for _, hosts := range []int{5, 10, 20, 40, 80} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			w := newWorld(b, hosts)
			ada, on := w.person("ada"), forge.Selector{All: true, User: "deploy"}
			each := func(b *testing.B) {
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*hosts), "µs/server")
			}
			b.Run("sync", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w.done(w.Keys.Sync(b.Context(), ada.key.ID, on))
					b.StopTimer()
					w.done(w.Keys.Revoke(b.Context(), ada.key.ID, on, nil))
					b.StartTimer()
				}
				each(b)
			})
			b.Run("drift", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for d, err := range w.Keys.Drift(b.Context(), on) {
						require.NoError(b, err)
						require.NoError(b, d.Err)
					}
				}
				each(b)
			})
		})
	}
}
