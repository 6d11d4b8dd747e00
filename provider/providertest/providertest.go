// Package providertest is the conformance suite of [provider.Provider], and has
// a [Fake] provider for tests of what is built on one.
package providertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// Options say what the suite has to know about an adapter. The zero value works
// for machines that any region, size and image are good for.
type Options struct {
	// Spec returns the n-th of two specs, n being 0 and 1: region, size and
	// image, or the address of an existing machine. The suite fills in the
	// rest. Defaults to empty ones.
	Spec func(n int) provider.Spec
	// UnknownID is a machine id of the right form that no machine has.
	// Defaults to "no-such-machine", which is tried in any case.
	UnknownID string
	// Resize is a size that the first machine can be given, where the provider is a
	// Resizer. Defaults to not trying it.
	Resize string
	// Rebuild is an image that the first machine can be rebuilt with, where the
	// provider is a Rebuilder. Defaults to not trying it.
	Rebuild string
	// Timeout bounds the wait for a machine to come up, to accept a login, or
	// to be gone. Defaults to 10 minutes.
	Timeout time.Duration
	// Poll is the time between two looks at the provider. Defaults to 5 s.
	Poll time.Duration
	// NoLogin is set when no SSH server is behind the machines.
	NoLogin bool
	// NoLabels is set when the provider does not keep Spec.Labels.
	NoLabels bool
}

// Test runs the suite. Machines cost time and money, so it makes two in all,
// and deletes them also when it fails.
func Test(t *testing.T, p provider.Provider, opts *Options) {
	t.Helper()
	s := &suite{p: p, existing: p.Properties().Existing}
	if opts != nil {
		s.opts = *opts
	}
	s.setDefaults()
	s.first, s.second = s.spec(t, 0), s.spec(t, 1)
	t.Cleanup(func() { s.deleteAll(t) })

	s.step(t, "Validates", s.validates)
	s.step(t, "RefusesBadSpecs", s.refusesBadSpecs)
	s.step(t, "RefusesWhatItDoesNotOffer", s.refusesOptions)
	if _, ok := p.(provider.Cataloger); ok {
		s.step(t, "HasACatalog", s.hasACatalog)
	}
	s.step(t, "KnowsNoOtherMachines", s.knowsNoOthers)
	s.step(t, "HonoursADoneContext", s.honoursContext)
	s.step(t, "CreatesOneMachineForAnID", s.createsOne)
	s.step(t, "ShowsTheMachine", s.shows)
	if !s.opts.NoLogin {
		s.step(t, "AcceptsALogin", s.acceptsLogin)
	}
	if _, ok := p.(provider.Power); ok {
		s.step(t, "SwitchesPower", s.switchesPower)
		if _, ok := p.(provider.Resizer); ok && s.opts.Resize != "" {
			s.step(t, "Resizes", s.resizes)
		}
	}
	if _, ok := p.(provider.Rebuilder); ok && s.opts.Rebuild != "" {
		s.step(t, "Rebuilds", s.rebuilds)
	}
	s.step(t, "CreatesAnotherMachineForAnotherID", s.createsAnother)
	if _, ok := p.(provider.Lister); ok {
		s.step(t, "ListsBoth", s.listsBoth)
	}
	if s.existing {
		s.step(t, "LeavesExistingMachines", s.leavesExisting)
	} else {
		s.step(t, "Deletes", s.deletes)
	}
}

// suite is one run of Test. Its steps build on each other.
type suite struct {
	p             provider.Provider
	opts          Options
	existing      bool
	first, second provider.Spec
	control       ssh.Signer
	a, b          *provider.Machine // of first and second
	failed        bool
}

func (s *suite) setDefaults() {
	if s.opts.Spec == nil {
		s.opts.Spec = func(int) provider.Spec { return provider.Spec{} }
	}
	if s.opts.UnknownID == "" {
		s.opts.UnknownID = noSuchMachine
	}
	if s.opts.Timeout == 0 {
		s.opts.Timeout = 10 * time.Minute
	}
	if s.opts.Poll == 0 {
		s.opts.Poll = 5 * time.Second
	}
}

const noSuchMachine = "no-such-machine"

// step runs a subtest, unless one before it failed.
func (s *suite) step(t *testing.T, name string, run func(*testing.T)) {
	t.Helper()
	if !s.failed {
		s.failed = !t.Run(name, run)
	}
}

func (s *suite) spec(t *testing.T, n int) provider.Spec {
	t.Helper()
	spec := s.opts.Spec(n)
	spec.ID = "test-" + strings.ToLower(rand.Text())
	spec.Name = fmt.Sprintf("forge-%d-%s", n, spec.ID[len(spec.ID)-8:])
	spec.Labels = map[string]string{"purpose": "conformance"}
	if s.control == nil {
		s.control, _ = newKey(t)
	}
	spec.AuthorizedKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.control.PublicKey())))
	if s.p.Properties().InjectsHostKey {
		_, spec.HostKey = newKey(t)
	}
	return spec
}

func newKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	return signer, pem.EncodeToMemory(block)
}

// eventually looks again and again, as a cloud gives no signals, until done
// answers nil.
func (s *suite) eventually(t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.opts.Timeout)
	defer cancel()
	for {
		err := done(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, what+" did not happen", "waited %v, the last answer was: %v", s.opts.Timeout, err)
		case <-time.After(s.opts.Poll):
		}
	}
}

// get looks at a machine. Right after Create, not to find it is a passing
// answer.
func (s *suite) get(t *testing.T, id string) (m *provider.Machine) {
	t.Helper()
	s.eventually(t, "to find machine "+id, func(ctx context.Context) (err error) {
		m, err = s.p.Get(ctx, id)
		if !errors.Is(err, provider.ErrNotFound) {
			require.NoError(t, err)
		}
		return err
	})
	return m
}

// deleteAll removes what the suite made, by the ids that it was given and by
// those that the provider lists.
func (s *suite) deleteAll(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Timeout)
	defer cancel()
	var left []*provider.Machine
	if l, ok := s.p.(provider.Lister); ok {
		all, err := l.List(ctx)
		assert.NoError(t, err)
		left = all
	}
	for _, m := range append(left, s.a, s.b) {
		if m != nil && (m == s.a || m == s.b || m.SpecID == s.first.ID || m.SpecID == s.second.ID) {
			assert.NoError(t, s.p.Delete(ctx, m.ID), "machine %s (%s) is left at the provider", m.ID, m.Name)
		}
	}
}
