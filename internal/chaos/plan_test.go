package chaos

import (
	"math/rand/v2"
	"time"
)

// plan says what a run does. The same seed makes the same one.
type plan struct {
	workers int
	kills   []kill
}

// kill is the end of a worker, some time after the one before.
type kill struct {
	after  time.Duration
	victim int
}

// newPlan spreads kills over time. A kill comes a quarter of the usual time after
// the one before, or up to twice that time, so that some find what is handed out
// in the hands of the next one already, and others nothing that was taken up.
func newPlan(seed uint64, workers, kills int, usual time.Duration) plan {
	random := rand.New(rand.NewPCG(seed, 1)) // it has to be repeatable
	p := plan{workers: workers}
	for range kills {
		p.kills = append(p.kills, kill{
			after:  usual/4 + time.Duration(random.Int64N(int64(usual*7/4))),
			victim: random.IntN(workers),
		})
	}
	return p
}
