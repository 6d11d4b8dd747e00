// Package chaos tries what forge promises of its durability on processes that
// really die: workers in processes of their own, which are killed and stopped
// while they make machines, sites, keys and deployments, with the records in
// PostgreSQL or SQLite. The workers are the test binary itself, started anew.
package chaos

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// What a run of TestChaos does. By the same seed the same moments, victims and
// faults of the cloud come in the same order.
var (
	seed  = flag.Uint64("seed", 1, "of the plan of kills and faults")
	kills = flag.Int("kills", 0, "how many kills a run has at least; 0 for a few")
)

func TestMain(m *testing.M) {
	if text := os.Getenv(settingsVariable); text != "" {
		if err := work(text); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
