package memory

import (
	"container/heap"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// waiting holds the jobs of a pool, the one that is due first in front.
type waiting struct {
	heap  byTime
	added uint64
}

type entry struct {
	at  time.Time // wall clock: it is compared with times from other places
	seq uint64    // of equal times, the job that was added first
	job queue.Job
}

func (w *waiting) empty() bool      { return len(w.heap) == 0 }
func (w *waiting) first() time.Time { return w.heap[0].at }

func (w *waiting) add(job queue.Job, now time.Time) {
	at := job.RunAt
	if at.IsZero() {
		at = now
	}
	w.added++
	heap.Push(&w.heap, &entry{at: at.Round(0), seq: w.added, job: job})
}

func (w *waiting) take() queue.Job {
	e := heap.Pop(&w.heap).(*entry)
	if len(w.heap) == 0 && cap(w.heap) > maxIdle {
		w.heap = nil
	}
	return e.job
}

// byTime implements heap.Interface.
type byTime []*entry

func (b byTime) Len() int { return len(b) }

func (b byTime) Less(i, j int) bool {
	if c := b[i].at.Compare(b[j].at); c != 0 {
		return c < 0
	}
	return b[i].seq < b[j].seq
}

func (b byTime) Swap(i, j int) { b[i], b[j] = b[j], b[i] }

func (b *byTime) Push(x any) { *b = append(*b, x.(*entry)) }

func (b *byTime) Pop() any {
	last := len(*b) - 1
	e := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return e
}
