// Package e2e drives forge through its public face on real machines of the
// local box, with the store and the queue in memory.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

// machineTimeout bounds the making and the removal of a machine.
const machineTimeout = 15 * time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withServer{m})
}

// withServer removes the server that the tests share before goroutines are
// looked for.
type withServer struct{ m *testing.M }

func (w withServer) Run() int {
	code := w.m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// shared is the server that the tests of this package share.
var shared sharedServer

type sharedServer struct {
	once   sync.Once
	forge  *embedder
	server *forge.Server
	spy    *spy // of the install
	err    error
}

// owner owns the shared server and all that is on it.
const owner = "ada"

// theServer returns the server that all tests share, with the embedding program
// that looks after it.
func theServer(t *testing.T) (*embedder, *forge.Server) {
	t.Helper()
	p := newMachines(t)
	shared.once.Do(func() { shared.err = shared.make(p) })
	if shared.err != nil {
		t.Fatalf("the server that the tests share: %v", shared.err)
	}
	return shared.forge, shared.server
}

func (s *sharedServer) make(p *machines) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), machineTimeout)
	defer cancel()
	if s.forge, err = start(p, 0); err != nil {
		return err
	}
	php := "8.2"
	if testmachine.Image() == "debian-13" {
		php = "8.4"
	}
	server, action, err := s.forge.For(owner).Servers.Create(ctx, forge.ServerOpts{
		Name: "shared", Provider: "local", Image: testmachine.Image(), Labels: testmachine.Labels(),
		IdempotencyKey: "the-server",
		Stack: forge.Stack{
			PHP: []string{php}, Database: forge.MariaDB, Redis: true, Composer: true, Supervisor: true,
		},
	})
	if err != nil {
		return err
	}
	s.server = server
	credentials, err := s.forge.Servers.Credentials(ctx, server.ID)
	if err != nil {
		return err
	}
	s.spy = watchProcesses(credentials.DatabasePassword.Reveal(), credentials.RedisPassword.Reveal())
	defer s.spy.end()
	if _, err := s.forge.Actions.Wait(ctx, action.ID); err != nil {
		return errors.Join(err, s.forge.tail(context.WithoutCancel(ctx), action.ID))
	}
	if s.server, err = s.forge.Servers.Get(ctx, server.ID); err != nil {
		return err
	}
	_, err = s.forge.Servers.Run(ctx, server.ID, forge.RunOpts{User: "root", Script: gitServer})
	return err
}

func (s *sharedServer) close() error {
	if s.forge == nil {
		return nil
	}
	var err error
	if s.server != nil {
		err = s.forge.remove(s.server.ID)
	}
	return errors.Join(err, s.forge.close())
}
