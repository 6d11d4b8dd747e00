package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// answerTimeout is how long the workers wait for an answer of the cloud.
const answerTimeout = 2 * time.Second

// cloud is a faulty cloud that outlives the workers: the fake, behind a socket.
// One SSH server stands for all of its machines.
type cloud struct {
	*providertest.Fake
	socket string
	ssh    *sshtest.Server
	ctx    context.Context // of the test: what is asked for goes on without the one who asked

	mu     sync.Mutex
	random *rand.Rand
	most   int                // faults that meet one machine: each makes its work wait, ever longer
	met    map[string]int     // faults, by machine
	wrong  map[string]int     // faults, by what they are
	made   chan chan struct{} // where it is set, the first create sends what it waits for before it answers
	gates  map[string]*gate   // by worker
}

// gate holds up those who ask, once it is shut.
type gate struct {
	held chan struct{} // has one when somebody waits
	open chan struct{} // closed when they may go on
}

// newCloud starts a cloud, whose faults come by a seed, and at most so many to a
// machine.
func newCloud(t *testing.T, seed uint64, most int) *cloud {
	t.Helper()
	c := &cloud{ctx: t.Context(), most: most, met: map[string]int{}, wrong: map[string]int{}, gates: map[string]*gate{}}
	c.random = rand.New(rand.NewPCG(seed, 2)) // it has to be repeatable
	c.Fake = providertest.NewFake(providertest.FakeConfig{Fault: c.fault})
	c.ssh = sshtest.New(t, &sshtest.Options{
		AnyKey:  true,
		Handler: func(context.Context, *sshtest.Exec) int { return 0 },
		Run:     func(context.Context, *sshtest.Run) int { return 0 },
	})
	c.socket = filepath.Join(t.TempDir(), "cloud")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", c.socket)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /create", c.create)
	mux.HandleFunc("POST /get", answerBy(func(ctx context.Context, id string) (*provider.Machine, error) { return c.Get(ctx, id) }))
	mux.HandleFunc("POST /delete", answerBy(func(ctx context.Context, id string) (any, error) { return nil, c.Delete(ctx, id) }))
	mux.HandleFunc("POST /dial", answerBy(func(context.Context, string) (string, error) { return c.ssh.Addr, nil }))
	mux.HandleFunc("POST /pass", answerBy(func(ctx context.Context, worker string) (any, error) { return nil, c.pass(ctx, worker) }))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return c
}

// fault is what goes wrong in a call, before it has an effect.
func (c *cloud) fault(call providertest.Call) (f providertest.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.Op == providertest.OpList {
		return f
	}
	what := ""
	switch n := c.random.IntN(100); {
	case n < 8:
		what, f.Err = "5xx", provider.ErrUnavailable
	case n < 12:
		what, f.Err = "too many requests", provider.ErrRateLimit
	case n < 20 && call.Op == providertest.OpCreate:
		what, f.Lost = "5xx after the create", true
	}
	if !c.goesWrong(call.ID, what) {
		return providertest.Fault{}
	}
	return f
}

// goesWrong counts a fault, unless it is one too many.
func (c *cloud) goesWrong(machine, what string) bool {
	if what == "" || c.met[machine] >= c.most {
		return false
	}
	c.met[machine]++
	c.wrong[what]++
	return true
}

// create makes a machine, whether or not the one who asks is still there to hear
// of it, and may take its time to answer or lose the answer.
func (c *cloud) create(w http.ResponseWriter, r *http.Request) {
	var spec provider.Spec
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m, err := c.Create(c.ctx, spec)
	if made := c.takeMade(); made != nil {
		answer := make(chan struct{})
		select {
		case made <- answer:
			<-answer
		case <-c.ctx.Done():
		}
	}
	delay, lost := c.after(spec.ID)
	select {
	case <-time.After(delay):
	case <-c.ctx.Done():
	}
	if lost {
		panic(http.ErrAbortHandler)
	}
	answer(w, m, err)
}

func (c *cloud) takeMade() chan chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.made
	c.made = nil
	return made
}

// after is what becomes of an answer.
func (c *cloud) after(machine string) (delay time.Duration, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, delay := c.random.IntN(100), time.Duration(c.random.IntN(600))*time.Millisecond
	switch {
	case n < 10 && c.goesWrong(machine, "lost answer"):
		return delay, true
	case n >= 10 && n < 16 && c.goesWrong(machine, "timeout"):
		return answerTimeout + time.Second, false
	}
	return delay, false
}

// shut makes the worker's next updates wait.
func (c *cloud) shut(worker string) *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &gate{held: make(chan struct{}, 1), open: make(chan struct{})}
	c.gates[worker] = g
	return g
}

func (c *cloud) pass(ctx context.Context, worker string) error {
	c.mu.Lock()
	g := c.gates[worker]
	c.mu.Unlock()
	if g == nil {
		return nil
	}
	select {
	case g.held <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return nil
}

// reply is what goes over the socket.
type reply struct {
	Result json.RawMessage
	Error  string
	Class  int // one more than the place in classes; 0 for another error
}

// classes are the errors that keep what they are.
var classes = []error{
	provider.ErrNotFound, provider.ErrInvalid, provider.ErrAuth, provider.ErrPermission, provider.ErrQuota,
	provider.ErrCapacity, provider.ErrRateLimit, provider.ErrConflict, provider.ErrUnavailable, provider.ErrMissing,
}

func answerBy[T any](fn func(context.Context, string) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var argument string
		if err := json.NewDecoder(r.Body).Decode(&argument); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		result, err := fn(r.Context(), argument)
		answer(w, result, err)
	}
}

func answer(w http.ResponseWriter, result any, err error) {
	var a reply
	if err != nil {
		a.Error = err.Error()
		for i, class := range classes {
			if errors.Is(err, class) {
				a.Class = i + 1
			}
		}
	} else if a.Result, err = json.Marshal(result); err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(w).Encode(a) // who asked may be gone
}
