package providertest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// fakeMachine is a machine of a Fake, guarded by its mu.
type fakeMachine struct {
	id      string
	spec    provider.Spec
	boot    Boot
	off     bool
	ip      netip.Addr
	created time.Time
}

// make makes a machine. Addresses are of 198.18.0.0/15, which is set aside for
// tests of network devices.
func (f *Fake) make(spec provider.Spec, boot Boot) *fakeMachine {
	f.made++
	spec.HostKey, spec.Labels = slices.Clone(spec.HostKey), maps.Clone(spec.Labels)
	m := &fakeMachine{
		id:      fmt.Sprintf("fake-%d", f.made),
		spec:    spec,
		boot:    boot,
		ip:      netip.AddrFrom4([4]byte{198, byte(18 + f.made>>16&1), byte(f.made >> 8), byte(f.made)}),
		created: time.Now(),
	}
	f.machines = append(f.machines, m)
	return m
}

func (f *Fake) find(match func(*fakeMachine) bool) *fakeMachine {
	if i := slices.IndexFunc(f.machines, match); i >= 0 {
		return f.machines[i]
	}
	return nil
}

func (f *Fake) all() (all []*provider.Machine) {
	for _, m := range f.machines {
		all = append(all, m.now())
	}
	return all
}

// get is what one Get shows, or nil; it brings the machine nearer to its end.
func (m *fakeMachine) get() *provider.Machine {
	if m.boot.Missing > 0 {
		m.boot.Missing--
		return nil
	}
	now := m.now()
	m.boot.Pending = max(0, m.boot.Pending-1)
	return now
}

// now is the machine as a provider shows it.
func (m *fakeMachine) now() *provider.Machine {
	now := &provider.Machine{
		ID:      m.id,
		SpecID:  m.spec.ID,
		Name:    m.spec.Name,
		Status:  provider.StatusPending,
		Port:    22,
		User:    "root",
		Labels:  maps.Clone(m.spec.Labels),
		Created: m.created,
	}
	if m.boot.Missing > 0 || m.boot.Pending > 0 || time.Since(m.created) < m.boot.Duration {
		return now
	}
	now.Status = provider.StatusActive
	if m.boot.End != "" {
		now.Status = m.boot.End
	}
	if now.Status == provider.StatusActive && !m.boot.NoAddress {
		now.Address, now.IPv4 = m.ip.String(), m.ip
	}
	if m.off {
		now.Status = provider.StatusOff
	}
	return now
}
