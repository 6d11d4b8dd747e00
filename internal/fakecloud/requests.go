package fakecloud

import "sync"

// Requests counts what a fake is asked by operation, such as "POST /servers", and
// keeps which requests it is to refuse, with answers of type A. It is safe for
// concurrent use.
type Requests[A any] struct {
	mu       sync.Mutex
	taken    map[string]int
	refusals map[string][]A
}

// Take counts a request.
func (q *Requests[A]) Take(operation string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken == nil {
		q.taken = make(map[string]int)
	}
	q.taken[operation]++
}

// Taken returns how many requests there were of an operation, also those that were
// refused.
func (q *Requests[A]) Taken(operation string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken[operation]
}

// RefuseWith has one more request of an operation be refused with an answer.
func (q *Requests[A]) RefuseWith(operation string, answer A) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refusals == nil {
		q.refusals = make(map[string][]A)
	}
	q.refusals[operation] = append(q.refusals[operation], answer)
}

// Refusal takes the answer that the next request of an operation is refused with, if
// there is one.
func (q *Requests[A]) Refusal(operation string) (answer A, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.refusals[operation]
	if len(left) == 0 {
		return answer, false
	}
	q.refusals[operation] = left[1:]
	return left[0], true
}
