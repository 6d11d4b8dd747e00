package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

// TestMain is the main of the processes too that a row starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-role" {
		if err := play(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// Each in small, on a real machine: that it measures, not what.
func TestRows(t *testing.T) {
	t.Parallel()
	images := servertest.Installed(t)
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			l, err := newLab(io.Discard)
			require.NoError(t, err)
			l.image, l.images, l.lines = testmachine.Image(), images, 1000
			l.large, l.small, l.some = 1<<20, 20, true
			l.few, l.many, l.crowd, l.calls, l.rest = 3, 5, 10, 10, 100*time.Millisecond
			l.files, l.jobs, l.single = 5, 1000, 10
			var got []string
			err = l.close(measureAll(t.Context(), l, []row{r}, 1, func(f figure) error {
				require.Equal(t, 1, f.N)
				require.Positive(t, f.Ratio)
				got = append(got, f.Name)
				return nil
			}))
			require.NoError(t, err)
			require.Subset(t, got, append(r.also, r.name))
			require.NoDirExists(t, l.dir)
		})
	}
}
