package river_test

import (
	"slices"
	"testing"
	"time"

	upstream "github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/internal/queuebench"
	"github.com/seed-797f2c2c/forge/queue/river"
)

// What both sides of a comparison work with.
const benchWorkers, batch, perRound = 8, 100, 500

// sides start both, in two schemas of one database.
func sides(b *testing.B, bareCooldown time.Duration) (bare, forge *queuebench.Side) {
	url, schema := pgtest.Schema(b)
	pool := pgtest.Pool(b, url)
	forge = queuebench.Queue(b.Context(), newQueue(b, river.Config{Pool: pool, Schema: schema}), benchWorkers)
	_, other := pgtest.Schema(b)
	newQueue(b, river.Config{Pool: pool, Schema: other}) // for its tables
	bare, err := queuebench.River(b.Context(), pool, other, benchWorkers, bareCooldown)
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, forge.Close())
		require.NoError(b, bare.Close())
	})
	return bare, forge
}

// BenchmarkThroughput compares the adapter with River itself, with the same
// settings: rounds of jobs that do nothing, enqueued by the hundred while they
// are worked on. The two take turns, so that both see the same machine. ratio is
// how many jobs a second the adapter does for each one of River's, in the median
// of the rounds.
func BenchmarkThroughput(b *testing.B) {
	bare, forge := sides(b, time.Millisecond)
	var took [2]time.Duration
	var ratios []float64
	b.ResetTimer()
	for n := 0; n < b.N; n += perRound {
		theirs, err := bare.Work(b.Context(), perRound, batch)
		require.NoError(b, err)
		ours, err := forge.Work(b.Context(), perRound, batch)
		require.NoError(b, err)
		ratios = append(ratios, theirs.Seconds()/ours.Seconds())
		took[0], took[1] = took[0]+theirs, took[1]+ours
	}
	b.StopTimer()
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(len(ratios)*perRound)/took[0].Seconds(), "river-jobs/s")
	b.ReportMetric(float64(len(ratios)*perRound)/took[1].Seconds(), "forge-jobs/s")
}

// BenchmarkLatency measures the time from Enqueue to the handler of a job that
// comes 20 ms after another was asked for, through the adapter and through River
// with its own settings.
func BenchmarkLatency(b *testing.B) {
	bare, forge := sides(b, upstream.FetchCooldownDefault)
	for name, s := range map[string]*queuebench.Side{"river": bare, "forge": forge} {
		b.Run(name, func(b *testing.B) {
			took, err := s.Delays(b.Context(), b.N, 20*time.Millisecond)
			require.NoError(b, err)
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
		})
	}
}
