package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// The stages of a machine's way back to its owner.
const (
	stageCheck = "check"
	stageSites = "sites"
	stageStack = "stack"
	stageKeys  = "keys"
	stageLogin = "login"
)

// giveBack takes away from a machine that existed before forge what forge added
// to it: the sites, then the stack's files, and last the login. Every part looks
// for what is left of it, so that another attempt goes on.
func (c *core) giveBack(ctx context.Context, w *work, srv *Server) error {
	touched, err := w.touched(ctx, srv)
	if err != nil || !touched {
		return err
	}
	if !w.action.Input.Force {
		return c.takeAway(ctx, w, srv)
	}
	// What is forced ends: it has to be forgotten before the deadline, which no
	// wait in between may overrun.
	reserve := min(45*time.Second, w.action.Timeout/3)
	inTime, cancel := context.WithTimeout(ctx, w.untilDeadline()-reserve)
	defer cancel()
	err = c.takeAway(inTime, w, srv)
	var wait *waiting
	switch {
	case err == nil, ctx.Err() != nil,
		errors.Is(err, errLeaseLost), errors.Is(err, errShutdown), errors.Is(err, sshexec.ErrFenced):
		return err
	case inTime.Err() != nil:
	case errors.As(err, &wait), retryable(err) && w.action.Attempt < c.jobs[w.action.Kind].attempts:
		return err
	}
	left := "its sites with their users and homes, " +
		"/etc/nginx/conf.d/forge.conf and /etc/nginx/forge.d, /etc/ssh/sshd_config.d/00-forge.conf and /etc/ssh/authorized_keys.d, " +
		"the user forge, /etc/forge and /var/lib/forge"
	if srv.Bare {
		left = "the lines marked \"forge:\" in the authorized_keys of its users, and /var/lib/forge"
	}
	return w.say(ctx, fmt.Sprintf("the server is forgotten, and what follows may be left on it: %s: %v", left, err))
}

// touched reports whether anything of forge's came to the server.
func (w *work) touched(ctx context.Context, srv *Server) (bool, error) {
	touched := !srv.Provisioned.IsZero()
	err := w.view(ctx, func(tx Tx) error {
		installs, err := tx.Actions().List(ActionFilter{Server: srv.ID, Kind: KindInstallStack}, Page{})
		for _, a := range installs {
			touched = touched || a.Cursor.Run != "" || a.Stage == stageControlKey
		}
		return err
	})
	return touched, err
}

func (c *core) takeAway(ctx context.Context, w *work, srv *Server) error {
	again := w.action.Stage == stageLogin
	if !again {
		err := w.takeRuns(ctx, srv)
		if err == nil {
			err = c.takeAllButLogin(ctx, w, srv)
		}
		if refused(err) {
			if again, viewErr := w.lostLogin(ctx, srv); again || viewErr != nil {
				return errors.Join(viewErr, w.sayGivenBack(ctx, srv))
			}
		}
		if err != nil {
			return err
		}
	}
	cmd, err := srv.leave(w.action.Input.Force)
	if err != nil {
		return err
	}
	err = w.takePart(ctx, srv, stageLogin, cmd)
	switch {
	case again && refused(err):
		return w.sayGivenBack(ctx, srv)
	case again, errors.Is(err, sshexec.ErrUnknown):
		return unreachable(err) // the attempt goes on, and knows how far it came
	}
	return err
}

// leave is the last command on a server that stays.
func (s *Server) leave(force bool) (sshexec.Command, error) {
	if s.Bare {
		return s.leaveBare()
	}
	script, err := stack.RemoveLogin(s.stackConfig(true), force, s.controlKeys()...)
	return sshexec.Command{Script: script}, err
}

// refused reports whether the server does not take forge's key.
func refused(err error) bool {
	var connect *sshexec.ConnectError
	return errors.As(err, &connect) && connect.Stage == sshexec.StageAuth
}

func (w *work) sayGivenBack(ctx context.Context, srv *Server) error {
	left := "/etc/forge, /var/lib/forge and /etc/ssh/authorized_keys.d if they are"
	if srv.Bare {
		left = "/var/lib/forge if it is"
	}
	return w.say(ctx, "the server does not take forge's key any more; remove "+left+" still there")
}

// lostLogin reports whether the deletion before this one may have given the login
// back, and never heard of it. A server that was set up again since is not in
// state ServerError.
func (w *work) lostLogin(ctx context.Context, srv *Server) (lost bool, err error) {
	if w.action.Input.Was != string(ServerError) {
		return false, nil
	}
	err = w.view(ctx, func(tx Tx) error {
		failed, err := tx.Actions().List(ActionFilter{Server: srv.ID, Kind: KindDeleteServer,
			Status: []ActionStatus{ActionFailed, ActionCancelled}}, Page{Limit: MaxPage})
		lost = slices.ContainsFunc(failed, func(a *Action) bool {
			return a.Stage == stageLogin && (a.Failure == nil || a.Failure.Reason != ReasonExit)
		})
		return err
	})
	return lost, err
}

// takeAllButLogin comes before the login, and does not begin where that could not
// be given back.
func (c *core) takeAllButLogin(ctx context.Context, w *work, srv *Server) error {
	if !w.action.Input.Force {
		script, err := w.checkLogin(ctx, srv)
		if err != nil {
			return err
		}
		if err := w.takePart(ctx, srv, stageCheck, sshexec.Command{Script: script}); err != nil {
			return err
		}
	}
	if srv.Bare {
		return c.takeKeys(ctx, w, srv)
	}
	if err := c.takeSites(ctx, w, srv); err != nil {
		return err
	}
	script, err := stack.Remove()
	if err != nil {
		return err
	}
	return w.takePart(ctx, srv, stageStack, sshexec.Command{Script: script})
}

// checkLogin is a script that fails where nobody would get in without forge's keys.
func (w *work) checkLogin(ctx context.Context, srv *Server) (string, error) {
	if srv.Bare {
		return w.checkBare(ctx, srv)
	}
	return stack.CheckLogin(srv.stackConfig(true), srv.controlKeys()...)
}

// takeSites removes every site, as Sites.Delete does.
func (c *core) takeSites(ctx context.Context, w *work, srv *Server) error {
	if err := w.stage(ctx, stageSites); err != nil {
		return err
	}
	var sites []*Site
	err := w.view(ctx, func(tx Tx) (err error) {
		sites, err = sitesReadBy(tx, srv.ID, "root") // all
		return err
	})
	if err != nil {
		return err
	}
	for _, site := range sites {
		cmd, err := sitectl.Delete(site.onServer())
		if err != nil {
			return err
		}
		cmd.Fence = w.fence
		if _, err := c.client(srv).Run(ctx, cmd); err != nil {
			return fmt.Errorf("remove the site %s: %w", site.Domain, sitectl.Explain(err))
		}
		if err := w.say(ctx, "removed the site "+site.Domain); err != nil {
			return err
		}
	}
	return nil
}

// takePart runs a command and puts what it says into the log.
func (w *work) takePart(ctx context.Context, srv *Server, stage string, cmd sshexec.Command) error {
	if err := w.stage(ctx, stage); err != nil {
		return err
	}
	cmd.Fence = w.fence
	result, err := w.client(srv).Run(ctx, cmd)
	if result == nil || len(result.Stdout) == 0 {
		return err
	}
	return errors.Join(err, w.say(ctx, w.presentable(ctx, string(result.Stdout))))
}
