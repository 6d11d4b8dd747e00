package forge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// The stages of a reboot.
const (
	rebootBegins  = "reboot: asking"
	rebootSSH     = "reboot: waiting for SSH"
	rebootSystemd = "reboot: waiting for systemd"
)

// rebootLooks is how often the machine is looked at, for about a minute, before
// a reboot that has not begun is asked for again: the request was lost with its
// connection or its worker. Programs on the machine may hold one up for 30 s.
const rebootLooks = 20

// What a reboot asks the server. It happens from the boot $1 alone, and so once,
// however often it is asked for.
const (
	askBoot   = `cat /proc/sys/kernel/random/boot_id`
	askReboot = `[[ $(` + askBoot + `) != "$1" ]] || systemctl reboot --no-block`
	askState  = askBoot + `; systemctl is-system-running || true`
)

// Reboot restarts a server's machine and waits until it is back. It waits for
// the deployments and the other changes that were asked for before, and those
// asked for later wait for it; commands of Exec are interrupted. A cancel ends
// the waiting, and no more once the machine was asked to restart.
func (s *Servers) Reboot(ctx context.Context, id string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Servers.Reboot", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.activeServer(t, id)
		if err != nil {
			return err
		}
		locks, err := allLocks(t, id)
		if err != nil {
			return err
		}
		action = &Action{Owner: srv.Owner, Actor: s.f.actor, Kind: KindReboot, Server: id,
			Subject: Subject{SubjectServer, id}, Locks: locks}
		return s.f.core.insert(t, action)
	})
	return action, err
}

func (c *core) reboot(ctx context.Context, w *work) error {
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	if w.action.Input.Boot == "" {
		if err := w.stage(ctx, rebootBegins); err != nil {
			return err
		}
		if err := w.noteBoot(ctx, srv); err != nil {
			return err
		}
		if err := w.askReboot(ctx, srv); err != nil {
			return err
		}
	}
	return w.awaitBoot(ctx, srv)
}

// noteBoot notes which boot is to end, before anything is asked for: whoever
// takes the action up later looks for another one.
func (w *work) noteBoot(ctx context.Context, srv *Server) error {
	result, err := w.client(srv).Run(ctx, sshexec.Command{Script: askBoot})
	if err != nil {
		return unreachable(err)
	}
	boot, err := uuid.ParseBytes([]byte(strings.TrimSpace(string(result.Stdout))))
	if err != nil {
		return fmt.Errorf("read the boot id: %w", err)
	}
	return w.update(ctx, func(t *txn, a *Action) error {
		if err := say(t, a, LineSystem, "asking the machine to restart"); err != nil {
			return err
		}
		a.Input.Boot, a.Stage = boot.String(), rebootSSH
		w.action.Input.Boot, w.action.Stage, w.action.Cursor = a.Input.Boot, a.Stage, a.Cursor
		return t.Actions().Update(a)
	})
}

func (w *work) askReboot(ctx context.Context, srv *Server) error {
	_, err := w.client(srv).Run(ctx, sshexec.Command{Script: askReboot, Args: []string{w.action.Input.Boot}, Fence: w.fence})
	return orGoingDown(err)
}

// orGoingDown lets the action wait where a signal ended a script, which may have
// been the shutdown's. A shell says so by an exit status above 128.
func orGoingDown(err error) error {
	var exit *sshexec.ExitError
	if errors.As(err, &exit) && (exit.Signal != "" || exit.ExitCode > 128) {
		return &waiting{least: time.Second, most: 3 * time.Second, why: err}
	}
	return unreachable(err)
}

// awaitBoot looks whether the machine is back.
func (w *work) awaitBoot(ctx context.Context, srv *Server) error {
	// A connection to the boot that ends may hang.
	w.pool.Forget(srv.ID)
	result, err := w.client(srv).Run(ctx, sshexec.Command{Script: askState})
	if err != nil {
		return orGoingDown(err)
	}
	boot, state, _ := strings.Cut(strings.TrimSpace(string(result.Stdout)), "\n")
	switch {
	case boot == w.action.Input.Boot:
		if state != "stopping" && w.action.Tries >= rebootLooks {
			if err := w.askReboot(ctx, srv); err != nil {
				return err
			}
		}
		return &waiting{least: 500 * time.Millisecond, most: 3 * time.Second, why: errors.New("the machine has not gone down yet")}
	case state != "running" && state != "degraded":
		if err := w.stage(ctx, rebootSystemd); err != nil {
			return err
		}
		return &waiting{least: 500 * time.Millisecond, most: 3 * time.Second, why: fmt.Errorf("systemd says %q", state)}
	}
	return w.say(ctx, "the machine is back, and "+state)
}
