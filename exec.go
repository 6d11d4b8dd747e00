package forge

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// ExecOpts are the options of Servers.Exec.
type ExecOpts struct {
	Command string // bash source; required
	// User is the unix user: root, forge, the login user, or that of a site on
	// the server; on a bare server anyone. Required; root only by name.
	User string
	// Timeout bounds the command. Defaults to 5 minutes.
	Timeout time.Duration
	// IdempotencyKey makes a repeated call return the first one's action. It
	// is unique for an owner.
	IdempotencyKey string
}

// Exec runs a command on a server apart from any connection, with an action and
// a log. It is for what changes something or takes time.
func (s *Servers) Exec(ctx context.Context, id string, opts ExecOpts) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Servers.Exec", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	var v values
	command := v.text(validate.Command("command", opts.Command))
	user := v.text(loginUser(opts.User))
	key := v.optional("idempotency_key", opts.IdempotencyKey, validate.IdempotencyKey)
	if opts.Timeout < 0 {
		v.fail("timeout", "must not be negative")
	}
	if v.err != nil {
		return nil, v.err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.server(t, id)
		if err != nil {
			return err
		}
		action, err = madeBefore(t.Actions(), key, ActionFilter{Owner: srv.Owner, IdempotencyKey: key},
			srv.Owner, func(a *Action) string { return a.Owner })
		if err != nil || action != nil {
			return err
		}
		if err := srv.mustBe(ServerActive); err != nil {
			return err
		}
		if err := srv.knows(t, user); err != nil {
			return err
		}
		action = &Action{Owner: srv.Owner, Actor: s.f.actor, Kind: KindExec, IdempotencyKey: key, Server: srv.ID, Timeout: opts.Timeout,
			Subject: Subject{SubjectServer, srv.ID}, Input: Input{Command: command, User: user}}
		return s.f.core.insert(t, action)
	})
	return action, err
}

func (c *core) execCommand(ctx context.Context, w *work) error {
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "command"); err != nil {
		return err
	}
	return w.detached(ctx, srv, srv.proxied(sshexec.RunSpec{
		ID: w.runID(), Script: []byte(w.action.Input.Command), User: w.action.Input.User,
	}), nil)
}

// RunOpts are the options of Servers.Run.
type RunOpts struct {
	Script string   // bash source; required
	Args   []string // "$1", "$2", ... of the script
	User   string   // as in ExecOpts
	Stdin  io.Reader
}

// Run runs a short script attached to a connection, at most once, and returns
// what it printed. It is for quick questions: when the connection is lost, the
// outcome is not known. A script that exits other than 0 gives its result
// together with an *sshexec.ExitError. The result is what the script printed, as
// it is; in the error, which may reach a log, secrets are masked.
func (s *Servers) Run(ctx context.Context, id string, opts RunOpts) (*sshexec.Result, error) {
	if _, err := s.f.ask(ctx, "Servers.Run", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	var v values
	script := v.text(validate.Command("script", opts.Script))
	user := v.text(loginUser(opts.User))
	if slices.ContainsFunc(opts.Args, func(arg string) bool { return strings.Contains(arg, "\x00") }) {
		v.fail("args", "must not have a NUL")
	}
	if v.err != nil {
		return nil, v.err
	}
	var srv *Server
	err := s.f.core.Store.View(ctx, func(tx Tx) (err error) {
		if srv, err = s.f.activeServer(tx, id); err != nil {
			return err
		}
		return srv.knows(tx, user)
	})
	if err != nil {
		return nil, err
	}
	result, err := s.f.core.client(srv).Run(ctx, sshexec.Command{Script: script, Args: opts.Args, User: user, Stdin: opts.Stdin})
	return result, s.f.core.maskExit(context.WithoutCancel(ctx), srv, user, err)
}

// activeServer is a server that is ready for work.
func (f *Forge) activeServer(tx Tx, id string) (*Server, error) {
	srv, err := f.server(tx, id)
	if err == nil {
		err = srv.mustBe(ServerActive)
	}
	if err != nil {
		return nil, err
	}
	return srv, nil
}

// loginUser accepts root by name, and otherwise what a unix user may be called.
func loginUser(name string) (string, error) {
	if name == "root" {
		return name, nil
	}
	return validate.UnixUser("user", name)
}

// knows refuses a unix user who is none of forge's on the server. On a bare one
// nobody is.
func (s *Server) knows(tx Tx, user string) error {
	if s.Bare || user == "root" || user == sitectl.SharedUser || user == s.User {
		return nil
	}
	sites, err := sitesReadBy(tx, s.ID, user)
	if err == nil && len(sites) == 0 {
		err = invalid("user", "must be root, %s, or the user of a site on the server", sitectl.SharedUser)
	}
	return err
}
