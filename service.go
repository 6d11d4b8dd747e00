package forge

import (
	"context"
	"slices"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// Services are the systemd units that the stack of a server installed, as
// RestartService takes them.
func (s *Server) Services() []string {
	if s.Bare {
		return nil
	}
	return stack.Services(s.stackConfig(false))
}

// RestartService restarts one of the server's services.
func (s *Servers) RestartService(ctx context.Context, id, service string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Servers.RestartService", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.activeServer(t, id)
		if err != nil {
			return err
		}
		if err := srv.hasStack("services of forge's"); err != nil {
			return err
		}
		if !slices.Contains(srv.Services(), service) {
			return invalid("service", "must be one that the stack installed: %v", srv.Services())
		}
		action = &Action{Owner: srv.Owner, Actor: s.f.actor, Kind: KindRestartService, Server: srv.ID,
			Subject: Subject{SubjectServer, srv.ID}, Input: Input{Service: service}, Locks: []string{serverLock(srv.ID)}}
		return s.f.core.insert(t, action)
	})
	return action, err
}

func (c *core) restartService(ctx context.Context, w *work) error {
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "restart"); err != nil {
		return err
	}
	_, err = c.client(srv).Run(ctx, sshexec.Command{
		Script: `systemctl restart -- "$1" && systemctl is-active -- "$1"`,
		Args:   []string{w.action.Input.Service}, Fence: w.fence,
	})
	return err
}

// ValidateProvider checks that a provider can be used: its token, or the tools
// on this machine.
func (s *Servers) ValidateProvider(ctx context.Context, name string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Servers.ValidateProvider", Subject{SubjectProvider, name}); err != nil {
		return nil, err
	}
	if err := s.f.checkOwner(); err != nil {
		return nil, err
	}
	if _, err := s.f.core.provider(name); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		action = &Action{Owner: s.f.owner, Actor: s.f.actor, Kind: KindValidate, Subject: Subject{SubjectProvider, name}}
		return s.f.core.insert(t, action)
	})
	return action, err
}

func (c *core) validateProvider(ctx context.Context, w *work) error {
	p, err := c.provider(w.action.Subject.ID)
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "provider"); err != nil {
		return err
	}
	return p.Validate(ctx)
}
