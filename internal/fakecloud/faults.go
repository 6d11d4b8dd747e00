package fakecloud

import (
	"math/rand/v2"
	"net/http"
	"sync"
)

// RandomFaults is a Transport.Fault that has one request in n go wrong, in one of
// the ways in which nobody knows whether it took effect. The same seed gives the
// same faults to the same order of requests.
func RandomFaults(seed uint64, n int) func(*http.Request) Fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed))
	kinds := []Fault{
		{Cut: true},
		{Lost: true},
		{Status: http.StatusInternalServerError},
		{Status: http.StatusServiceUnavailable},
		{Status: http.StatusInternalServerError, Lost: true},
		{Status: http.StatusServiceUnavailable, Lost: true},
		{Status: http.StatusGatewayTimeout, Lost: true},
	}
	return func(*http.Request) Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(n) != 0 {
			return Fault{}
		}
		return kinds[random.IntN(len(kinds))]
	}
}
