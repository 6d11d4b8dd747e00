package providertest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// FakeConfig configures a Fake. The zero value is a cloud where all goes well.
type FakeConfig struct {
	// Fault decides what goes wrong in a call for which nothing was injected.
	// It is called by one goroutine at a time and must not use the Fake itself.
	// Defaults to no faults.
	Fault func(Call) Fault
	// Boot is how machines come up. Defaults to being active at once.
	Boot Boot
	// Properties are those of the Fake, but for Existing.
	Properties provider.Properties
	// Dial connects to the SSH server that stands for the machine of a spec,
	// such as one of package sshtest. Defaults to refusing every connection.
	Dial func(ctx context.Context, spec provider.Spec) (net.Conn, error)
}

// Fake is a provider without machines, in which things go wrong on demand. It
// is for tests of what is built on a provider. Its time is that of package
// time, so it works in a bubble of testing/synctest.
type Fake struct {
	cfg FakeConfig

	catalog *provider.Catalog // that Create goes by, if any

	mu       sync.Mutex
	injected map[Op][]Fault
	calls    []*Call
	machines []*fakeMachine
	made     int
}

var (
	_ provider.Provider = (*Fake)(nil)
	_ provider.Lister   = (*Fake)(nil)
	_ provider.Dialer   = (*Fake)(nil)
	_ provider.Power    = (*Fake)(nil)
)

// NewFake makes a Fake.
func NewFake(cfg FakeConfig) *Fake {
	cfg.Properties.Existing = false
	return &Fake{cfg: cfg, injected: make(map[Op][]Fault)}
}

// Inject makes the next calls of a method go wrong, each by one of the faults
// in their order.
func (f *Fake) Inject(op Op, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injected[op] = append(f.injected[op], faults...)
}

// Calls returns the calls so far, in the order in which they came.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := make([]Call, len(f.calls))
	for i, c := range f.calls {
		calls[i] = *c
	}
	return calls
}

// Machines returns the machines that exist, in the order in which they were
// made, and is no call.
func (f *Fake) Machines() []*provider.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all()
}

// Made returns how many machines were made, also those that are deleted.
func (f *Fake) Made() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// Validate implements provider.Provider.
func (f *Fake) Validate(ctx context.Context) error {
	return f.call(ctx, Call{Op: OpValidate}, func(Fault) error { return nil })
}

// Create implements provider.Provider.
func (f *Fake) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	var m *provider.Machine
	err := f.call(ctx, Call{Op: OpCreate, ID: spec.ID, Spec: spec}, func(fault Fault) error {
		if err := spec.Validate(f.cfg.Properties); err != nil {
			return err
		}
		made := f.find(func(m *fakeMachine) bool { return m.spec.ID == spec.ID })
		if made == nil {
			if err := f.offers(spec); err != nil {
				return err
			}
			made = f.make(spec, *cmp.Or(fault.Boot, &f.cfg.Boot))
		}
		m = made.now()
		return nil
	})
	return answer(m, err)
}

// Get implements provider.Provider.
func (f *Fake) Get(ctx context.Context, id string) (*provider.Machine, error) {
	var m *provider.Machine
	err := f.call(ctx, Call{Op: OpGet, ID: id}, func(Fault) error {
		made := f.find(func(m *fakeMachine) bool { return m.id == id })
		if made != nil {
			m = made.get()
		}
		if m == nil {
			return fmt.Errorf("%w: %q", provider.ErrNotFound, id)
		}
		return nil
	})
	return answer(m, err)
}

// Delete implements provider.Provider.
func (f *Fake) Delete(ctx context.Context, id string) error {
	return f.call(ctx, Call{Op: OpDelete, ID: id}, func(Fault) error {
		f.machines = slices.DeleteFunc(f.machines, func(m *fakeMachine) bool { return m.id == id })
		return nil
	})
}

// List implements provider.Lister.
func (f *Fake) List(ctx context.Context) ([]*provider.Machine, error) {
	var all []*provider.Machine
	err := f.call(ctx, Call{Op: OpList}, func(Fault) error {
		all = f.all()
		return nil
	})
	return answer(all, err)
}

// Properties implements provider.Provider.
func (f *Fake) Properties() provider.Properties { return f.cfg.Properties }

// DialMachine implements provider.Dialer by FakeConfig.Dial. Nothing answers
// where no active machine is.
func (f *Fake) DialMachine(ctx context.Context, address string, port int) (net.Conn, error) {
	f.mu.Lock()
	m := f.find(func(m *fakeMachine) bool {
		now := m.now()
		return now.Address == address && now.Port == port && now.Status == provider.StatusActive
	})
	f.mu.Unlock()
	if m == nil || f.cfg.Dial == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s: nothing listens", net.JoinHostPort(address, strconv.Itoa(port)))}
	}
	return f.cfg.Dial(ctx, m.spec)
}

// call records a call and gives it its fault. The effect happens under f.mu.
func (f *Fake) call(ctx context.Context, call Call, effect func(Fault) error) (err error) {
	fault := f.begin(&call)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err != nil {
			err = fmt.Errorf("fake: %w", err)
		}
		call.Err = err
	}()
	if err := cloud.Sleep(ctx, fault.Delay); err != nil {
		return err
	}
	if fault.Err != nil && !fault.Lost {
		return fault.Err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := effect(fault); err != nil || !fault.Lost {
		return err
	}
	if fault.Err != nil {
		return fault.Err
	}
	return fmt.Errorf("%w: the answer was lost", provider.ErrUnavailable)
}

func (f *Fake) begin(call *Call) (fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	switch injected := f.injected[call.Op]; {
	case len(injected) > 0:
		fault, f.injected[call.Op] = injected[0], injected[1:]
	case f.cfg.Fault != nil:
		fault = f.cfg.Fault(*call)
	}
	return fault
}

// answer is no value when there is an error.
func answer[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}
