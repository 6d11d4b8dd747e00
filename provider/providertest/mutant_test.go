package providertest_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/mutanttest"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

// TestMutant is the suite on one broken provider, in a process of its own.
func TestMutant(t *testing.T) {
	name := mutanttest.Name(t)
	i := slices.IndexFunc(mutants(), func(m mutant) bool { return m.name == name })
	fake := providertest.NewFakeCloud(providertest.FakeConfig{
		Properties: provider.Properties{InjectsHostKey: true},
		Dial:       sshServers(t),
	})
	t.Cleanup(func() {
		if n := len(fake.Machines()); n > 0 {
			t.Logf("%d machines are left", n)
		}
	})
	opts := *quick
	opts.Timeout = time.Second
	opts.Resize, opts.Rebuild = "big", "debian-13"
	providertest.Test(t, mutants()[i].wrap(broken{FakeCloud: fake}), &opts)
}

func TestTheSuiteFindsDefects(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			r := mutanttest.Run(t, m.name, "-test.timeout=1m")
			if m.fails == "" {
				require.NoError(t, r.Err, r.Output)
				return
			}
			require.Equal(t, []string{m.fails}, r.Failed, r.Output)
			if !m.leaks {
				require.NotContains(t, r.Output, "machines are left")
			}
		})
	}
}

// broken replaces methods of a sound provider.
type broken struct {
	*providertest.FakeCloud
	create  func(context.Context, provider.Spec) (*provider.Machine, error)
	get     func(context.Context, string) (*provider.Machine, error)
	delete  func(context.Context, string) error
	list    func(context.Context) ([]*provider.Machine, error)
	order   func(context.Context, order) error
	catalog func(*provider.Catalog)
}

func (b broken) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	if b.create == nil {
		return b.Fake.Create(ctx, spec)
	}
	return b.create(ctx, spec)
}

func (b broken) Get(ctx context.Context, id string) (*provider.Machine, error) {
	if b.get == nil {
		return b.Fake.Get(ctx, id)
	}
	return b.get(ctx, id)
}

func (b broken) Delete(ctx context.Context, id string) error {
	if b.delete == nil {
		return b.Fake.Delete(ctx, id)
	}
	return b.delete(ctx, id)
}

func (b broken) List(ctx context.Context) ([]*provider.Machine, error) {
	if b.list == nil {
		return b.Fake.List(ctx)
	}
	return b.list(ctx)
}

type mutant struct {
	name  string
	wrap  func(broken) provider.Provider
	fails string // the step that finds it
	leaks bool   // the defect is in what the suite cleans up with
}

func mutants() []mutant {
	return append(abilityMutants(), []mutant{
		{"sound", func(b broken) provider.Provider { return b }, "", false},
		{"makes a machine for each create", onSpec(func(spec *provider.Spec) {
			if spec.Validate(provider.Properties{}) == nil {
				spec.ID = strings.ToLower(rand.Text())
			}
		}), "CreatesOneMachineForAnID", true},
		{"has one machine", func(b broken) provider.Provider {
			b.create = func(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
				if len(b.Machines()) == 0 {
					return b.Fake.Create(ctx, spec)
				}
				m := b.Machines()[0]
				m.SpecID, m.Name = spec.ID, spec.Name
				return m, nil
			}
			return b
		}, "CreatesAnotherMachineForAnotherID", false},
		{"takes bad names", onSpec(func(spec *provider.Spec) { spec.Name = "good" }), "RefusesBadSpecs", false},
		{"takes bad ids", onSpec(func(spec *provider.Spec) { spec.ID = "good" }), "RefusesBadSpecs", false},
		{"loses labels", onSpec(func(spec *provider.Spec) { spec.Labels = nil }), "ShowsTheMachine", false},
		{"loses the host key", onSpec(func(spec *provider.Spec) { spec.HostKey = nil }), "AcceptsALogin", false},
		{"knows unknown ids", func(b broken) provider.Provider {
			b.get = func(ctx context.Context, id string) (*provider.Machine, error) {
				if m, err := b.Fake.Get(ctx, id); err == nil || ctx.Err() != nil {
					return m, err
				}
				return &provider.Machine{ID: id}, nil
			}
			return b
		}, "KnowsNoOtherMachines", false},
		{"cannot delete twice", func(b broken) provider.Provider {
			b.delete = func(ctx context.Context, id string) error {
				if _, err := b.Fake.Get(ctx, id); err != nil {
					return err
				}
				return b.Fake.Delete(ctx, id)
			}
			return b
		}, "KnowsNoOtherMachines", false},
		{"ignores its context", func(b broken) provider.Provider {
			b.create = func(_ context.Context, spec provider.Spec) (*provider.Machine, error) {
				return b.Fake.Create(context.Background(), spec)
			}
			return b
		}, "HonoursADoneContext", false},
		{"deletes nothing", func(b broken) provider.Provider {
			b.delete = func(ctx context.Context, _ string) error { return ctx.Err() }
			return b
		}, "Deletes", true},
		{"deletes everything", func(b broken) provider.Provider {
			b.delete = func(ctx context.Context, id string) error {
				for _, m := range b.Machines() {
					_ = b.Fake.Delete(ctx, m.ID)
				}
				return b.Fake.Delete(ctx, id)
			}
			return b
		}, "Deletes", false},
		{"lists nothing", func(b broken) provider.Provider {
			b.list = func(ctx context.Context) ([]*provider.Machine, error) { return nil, ctx.Err() }
			return b
		}, "CreatesOneMachineForAnID", false},
		{"is never active", func(b broken) provider.Provider {
			b.Inject(providertest.OpCreate, slices.Repeat([]providertest.Fault{{Boot: &providertest.Boot{End: provider.StatusPending}}}, 100)...)
			return b
		}, "ShowsTheMachine", false},
		{"gives up", func(b broken) provider.Provider {
			b.Inject(providertest.OpCreate, slices.Repeat([]providertest.Fault{{Boot: &providertest.Boot{Pending: 1, End: provider.StatusError}}}, 100)...)
			return b
		}, "ShowsTheMachine", false},
	}...)
}

// onSpec changes the specs on their way to Create, but for the ID, which the
// answer shows as it was asked for.
func onSpec(change func(*provider.Spec)) func(broken) provider.Provider {
	return func(b broken) provider.Provider {
		b.create = func(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
			asked := spec
			change(&spec)
			m, err := b.Fake.Create(ctx, spec)
			if err != nil {
				return nil, err
			}
			m.SpecID, m.Name = asked.ID, asked.Name
			return m, nil
		}
		return b
	}
}
