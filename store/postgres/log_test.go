package postgres_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// output is lines of 80 bytes, as a build prints them.
func output(from, count int64) []forge.Line {
	lines := make([]forge.Line, count)
	for i := range lines {
		n := from + int64(i)
		text := fmt.Sprintf("  - Installing vendor%d/package-%x (v%d.%d.%d): Extracting archive %032x", n%97, n*2654435761, n%9, n%31, n%13, n)
		lines[i] = forge.Line{Type: forge.LineOutput, Text: text[:80]}
	}
	return lines
}

// BenchmarkFollowedLog appends up to a million lines of 80 bytes as the engine does,
// while a second store, on connections of its own, follows them. A line costs as
// much behind many as behind few.
func BenchmarkFollowedLog(b *testing.B) {
	for _, total := range []int64{250_000, 500_000, 1_000_000} {
		b.Run(fmt.Sprint(total), func(b *testing.B) { followedLog(b, total) })
	}
}

func followedLog(b *testing.B, total int64) {
	const batch = 3200 // 256 KiB of lines
	for b.Loop() {
		b.StopTimer()
		url, schema := pgtest.Schema(b)
		writer := with(b, postgres.Config{Pool: pgtest.Pool(b, url), Schema: schema})
		reader := with(b, postgres.Config{Pool: pgtest.Pool(b, url), Schema: schema})
		require.NoError(b, writer.Migrate(b.Context()))
		update(b, writer, func(tx forge.Tx) error {
			return tx.Actions().Insert(&forge.Action{ID: "a", Status: forge.ActionRunning})
		})
		var heap runtime.MemStats
		peak := uint64(0)
		b.StartTimer()

		written := make(chan error, 1)
		go func() {
			var err error
			for from := int64(0); from < total && err == nil; from += batch {
				lines := output(from, min(batch, total-from))
				err = writer.Update(b.Context(), func(tx forge.Tx) error {
					a, err := tx.Actions().Get("a")
					if err != nil {
						return err
					}
					to := a.Cursor
					to.Line += int64(len(lines))
					to.Bytes += 81 * int64(len(lines))
					for i := range lines {
						lines[i].Time = tx.Now()
					}
					if err := tx.AppendLog(a.ID, a.Epoch, a.Cursor, to, lines); err != nil {
						return err
					}
					a.Cursor = to
					tx.Emit(forge.Event{Type: forge.EventLog, Action: a.ID, NextLine: to.Line})
					return tx.Actions().Update(a)
				})
			}
			written <- err
		}()
		seen, next := int64(0), int64(0)
		for next < total {
			require.NoError(b, reader.Wait(b.Context(), seen))
			view(b, reader, func(tx forge.Tx) (err error) {
				seen, err = tx.LastEvent()
				return err
			})
			for line, err := range reader.Log(b.Context(), "a", next) {
				if err != nil || line.Number != next {
					b.Fatal(next, line.Number, err)
				}
				next++
			}
			runtime.ReadMemStats(&heap)
			peak = max(peak, heap.HeapInuse)
		}
		require.NoError(b, <-written)
		b.ReportMetric(float64(peak)/(1<<20), "MiB-heap")
	}
	b.SetBytes(total * 81)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total*int64(b.N)), "ns/line")
}
