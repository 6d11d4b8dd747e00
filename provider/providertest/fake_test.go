package providertest_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

func spec(id string) provider.Spec { return provider.Spec{ID: id, Name: "web-" + id} }

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	fake := providertest.NewFake(providertest.FakeConfig{})
	fake.Inject(providertest.OpCreate, providertest.Fault{Lost: true}, providertest.Fault{Lost: true, Err: context.DeadlineExceeded})

	m, err := fake.Create(t.Context(), spec("a"))
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.Nil(t, m)
	require.Len(t, fake.Machines(), 1, "the effect took place")
	_, err = fake.Create(t.Context(), spec("a"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	m, err = fake.Create(t.Context(), spec("a"))
	require.NoError(t, err)
	require.Equal(t, 1, fake.Made())

	fake.Inject(providertest.OpDelete, providertest.Fault{Lost: true})
	require.ErrorIs(t, fake.Delete(t.Context(), m.ID), provider.ErrUnavailable)
	require.Empty(t, fake.Machines())
}

func TestFaultBeforeTheEffect(t *testing.T) {
	t.Parallel()
	fake := providertest.NewFake(providertest.FakeConfig{})
	for _, want := range []error{provider.ErrQuota, provider.ErrRateLimit, provider.ErrAuth} {
		fake.Inject(providertest.OpCreate, providertest.Fault{Err: want})
		_, err := fake.Create(t.Context(), spec("a"))
		require.ErrorIs(t, err, want)
		require.Empty(t, fake.Machines())
	}
	m, err := fake.Create(t.Context(), spec("a"))
	require.NoError(t, err)

	fake.Inject(providertest.OpDelete, providertest.Fault{Err: provider.ErrConflict})
	require.ErrorIs(t, fake.Delete(t.Context(), m.ID), provider.ErrConflict)
	fake.Inject(providertest.OpValidate, providertest.Fault{Err: provider.ErrMissing})
	require.ErrorIs(t, fake.Validate(t.Context()), provider.ErrMissing)
	fake.Inject(providertest.OpList, providertest.Fault{Err: provider.ErrPermission})
	_, err = fake.List(t.Context())
	require.ErrorIs(t, err, provider.ErrPermission)
	fake.Inject(providertest.OpGet, providertest.Fault{Err: provider.ErrNotFound})
	_, err = fake.Get(t.Context(), m.ID)
	require.ErrorIs(t, err, provider.ErrNotFound)
	_, err = fake.Get(t.Context(), m.ID)
	require.NoError(t, err, "a fault is used once")
}

func TestBoot(t *testing.T) {
	t.Parallel()
	type look struct {
		status  provider.Status
		address bool
	}
	none := look{}
	pending, active := look{status: provider.StatusPending}, look{provider.StatusActive, true}
	tests := map[string]struct {
		boot providertest.Boot
		want []look // one each minute
	}{
		"at once":      {providertest.Boot{}, []look{active, active}},
		"by looks":     {providertest.Boot{Missing: 2, Pending: 1}, []look{none, none, pending, active}},
		"by time":      {providertest.Boot{Duration: 2 * time.Minute}, []look{pending, pending, active}},
		"by both":      {providertest.Boot{Missing: 1, Duration: 2 * time.Minute}, []look{none, pending, active}},
		"never":        {providertest.Boot{End: provider.StatusPending}, []look{pending, pending, pending, pending}},
		"gives up":     {providertest.Boot{Pending: 1, End: provider.StatusError}, []look{pending, {status: provider.StatusError}}},
		"no address":   {providertest.Boot{NoAddress: true}, []look{{status: provider.StatusActive}}},
		"switched off": {providertest.Boot{End: provider.StatusOff}, []look{{status: provider.StatusOff}}},
	}
	for name, test := range tests {
		for _, injected := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				fake := providertest.NewFake(providertest.FakeConfig{Boot: test.boot})
				if injected {
					fake = providertest.NewFake(providertest.FakeConfig{})
					fake.Inject(providertest.OpCreate, providertest.Fault{Boot: &test.boot})
				}
				m, err := fake.Create(t.Context(), spec("a"))
				require.NoError(t, err)
				var got []look
				for range test.want {
					m, err := fake.Get(t.Context(), m.ID)
					if err != nil {
						require.ErrorIs(t, err, provider.ErrNotFound)
						m = &provider.Machine{}
					}
					got = append(got, look{m.Status, m.Address != ""})
					time.Sleep(time.Minute)
				}
				require.Equal(t, test.want, got, name)
			})
		}
	}
}

func TestDelayEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := providertest.NewFake(providertest.FakeConfig{})
		slow := providertest.Fault{Delay: time.Hour}
		fake.Inject(providertest.OpCreate, slow, slow)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := fake.Create(ctx, spec("a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
		require.Empty(t, fake.Machines())

		_, err = fake.Create(t.Context(), spec("a"))
		require.NoError(t, err)
		require.Equal(t, time.Minute+time.Hour, time.Since(begin))
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	fake := providertest.NewFake(providertest.FakeConfig{Fault: func(c providertest.Call) providertest.Fault {
		if c.Op == providertest.OpDelete {
			return providertest.Fault{Err: provider.ErrRateLimit}
		}
		return providertest.Fault{}
	}})
	m, err := fake.Create(t.Context(), spec("a"))
	require.NoError(t, err)
	require.Error(t, fake.Delete(t.Context(), m.ID))
	_, err = fake.List(t.Context())
	require.NoError(t, err)

	calls := fake.Calls()
	require.Len(t, calls, 3)
	require.Equal(t, providertest.Call{Op: providertest.OpCreate, ID: "a", Spec: spec("a")}, calls[0])
	require.Equal(t, providertest.OpDelete, calls[1].Op)
	require.Equal(t, m.ID, calls[1].ID)
	require.ErrorIs(t, calls[1].Err, provider.ErrRateLimit)
	require.Equal(t, providertest.Call{Op: providertest.OpList}, calls[2])
}

func TestDialMachine(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	fake := providertest.NewFake(providertest.FakeConfig{Dial: func(_ context.Context, spec provider.Spec) (net.Conn, error) {
		require.Equal(t, "a", spec.ID)
		return here, nil
	}})
	m, err := fake.Create(t.Context(), spec("a"))
	require.NoError(t, err)
	conn, err := fake.DialMachine(t.Context(), m.Address, m.Port)
	require.NoError(t, err)
	require.Same(t, here, conn)

	refused := func(fake *providertest.Fake, address string, port int) {
		t.Helper()
		var refused *net.OpError
		_, err := fake.DialMachine(t.Context(), address, port)
		require.ErrorAs(t, err, &refused)
	}
	refused(fake, "198.18.9.9", m.Port)
	refused(fake, m.Address, 23)
	require.NoError(t, fake.Delete(t.Context(), m.ID))
	refused(fake, m.Address, m.Port)

	dark := providertest.NewFake(providertest.FakeConfig{})
	m, err = dark.Create(t.Context(), spec("a"))
	require.NoError(t, err)
	refused(dark, m.Address, m.Port)
}

// A caller that asks again until it has an answer gets one machine for each id,
// whatever goes wrong, however many ask at once.
func TestNoFaultMakesASecondMachine(t *testing.T) {
	t.Parallel()
	fault := rapid.Custom(func(rt *rapid.T) providertest.Fault {
		return providertest.Fault{
			Err:   rapid.SampledFrom([]error{nil, provider.ErrUnavailable, provider.ErrRateLimit}).Draw(rt, "err"),
			Lost:  rapid.Bool().Draw(rt, "lost"),
			Delay: time.Duration(rapid.IntRange(0, 3).Draw(rt, "delay")) * time.Second,
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.SliceOfN(fault, 0, 40).Draw(rt, "faults")
		ids := rapid.IntRange(1, 3).Draw(rt, "ids")
		callers := rapid.IntRange(1, 4).Draw(rt, "callers")

		var fake *providertest.Fake
		var mu sync.Mutex
		answers := make(map[string]bool)
		synctest.Test(t, func(t *testing.T) {
			fake = providertest.NewFake(providertest.FakeConfig{})
			fake.Inject(providertest.OpCreate, faults...)
			var wg sync.WaitGroup
			for i := range ids * callers {
				wg.Go(func() {
					m, err := retry(func() (*provider.Machine, error) {
						return fake.Create(t.Context(), spec(fmt.Sprint(i%ids)))
					})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						answers[m.SpecID+" is "+m.ID] = true
					}
				})
			}
			wg.Wait()
		})
		require.Equal(rt, ids, fake.Made())
		require.Len(rt, fake.Machines(), ids)
		require.Len(rt, answers, ids, "all callers get the same machine: %v", answers)
	})
}
