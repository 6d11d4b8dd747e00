package memory

import (
	"container/heap"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// waiting holds the jobs of a pool, the one that is due first in front. Most
// jobs are due at once and so in order when they come: they have a line of
// their own, as a heap of a million is slow.
type waiting struct {
	head, tail *entry // without RunAt
	heap       byTime // with RunAt
	added      uint64
}

type entry struct {
	at   time.Time // wall clock: it is compared with times from other places
	seq  uint64    // of equal times, the job that was added first
	job  queue.Job
	next *entry // in the line
}

func (e *entry) before(other *entry) bool {
	if c := e.at.Compare(other.at); c != 0 {
		return c < 0
	}
	return e.seq < other.seq
}

func (w *waiting) add(job queue.Job, now time.Time) {
	w.added++
	e := &entry{at: job.RunAt.Round(0), seq: w.added, job: job}
	if !job.RunAt.IsZero() {
		heap.Push(&w.heap, e)
		return
	}
	e.at = now.Round(0)
	if w.head == nil {
		w.head = e
	} else {
		w.tail.next = e
	}
	w.tail = e
}

// first returns the job that is due first, or nil.
func (w *waiting) first() *entry {
	if len(w.heap) > 0 && (w.head == nil || w.heap[0].before(w.head)) {
		return w.heap[0]
	}
	return w.head
}

// take removes the job that first returned.
func (w *waiting) take() queue.Job {
	e := w.first()
	if e == w.head {
		w.head = e.next
		return e.job
	}
	heap.Pop(&w.heap)
	if len(w.heap) == 0 && cap(w.heap) > maxIdle {
		w.heap = nil // slices do not shrink
	}
	return e.job
}

// byTime implements heap.Interface.
type byTime []*entry

func (b byTime) Len() int           { return len(b) }
func (b byTime) Less(i, j int) bool { return b[i].before(b[j]) }
func (b byTime) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *byTime) Push(x any)        { *b = append(*b, x.(*entry)) }

func (b *byTime) Pop() any {
	last := len(*b) - 1
	e := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return e
}
