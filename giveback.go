package forge

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// The stages of a machine's way back to its owner.
const (
	stageCheck = "check"
	stageSites = "sites"
	stageStack = "stack"
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
	err = c.takeAway(ctx, w, srv)
	if err == nil || !w.action.Input.Force || ctx.Err() != nil ||
		errors.Is(err, errLeaseLost) || errors.Is(err, errShutdown) || errors.Is(err, sshexec.ErrFenced) {
		return err
	}
	return w.say(ctx, fmt.Sprintf("the server is forgotten, and what follows may be left on it: its sites with their users and homes, "+
		"/etc/nginx/conf.d/forge.conf and /etc/nginx/forge.d, /etc/ssh/sshd_config.d/00-forge.conf and /etc/ssh/authorized_keys.d, "+
		"the user forge, /etc/forge and /var/lib/forge: %v", err))
}

// touched reports whether anything of forge's ran on the server.
func (w *work) touched(ctx context.Context, srv *Server) (bool, error) {
	touched := !srv.Provisioned.IsZero()
	err := w.view(ctx, func(tx Tx) error {
		installs, err := tx.Actions().List(ActionFilter{Server: srv.ID, Kind: KindInstallStack}, Page{})
		for _, a := range installs {
			touched = touched || a.Cursor.Run != ""
		}
		return err
	})
	return touched, err
}

func (c *core) takeAway(ctx context.Context, w *work, srv *Server) error {
	again := w.action.Stage == stageLogin
	if !again {
		if err := c.takeStack(ctx, w, srv); err != nil {
			return err
		}
	}
	script, err := stack.RemoveLogin(srv.stackConfig(true), w.action.Input.Force)
	if err != nil {
		return err
	}
	err = w.takePart(ctx, srv, stageLogin, script)
	var connect *sshexec.ConnectError
	switch {
	case again && errors.As(err, &connect) && connect.Stage == sshexec.StageAuth:
		return w.say(ctx, "the server does not take forge's key any more; "+
			"remove /etc/forge, /var/lib/forge and /etc/ssh/authorized_keys.d if they are still there")
	case errors.Is(err, sshexec.ErrUnknown):
		return unreachable(err) // the attempt goes on, and knows how far it came
	}
	return err
}

// takeStack comes before the login, and does not begin where that could not be
// given back.
func (c *core) takeStack(ctx context.Context, w *work, srv *Server) error {
	if !w.action.Input.Force {
		script, err := stack.CheckLogin(srv.stackConfig(true))
		if err != nil {
			return err
		}
		if err := w.takePart(ctx, srv, stageCheck, script); err != nil {
			return err
		}
	}
	if err := c.takeSites(ctx, w, srv); err != nil {
		return err
	}
	script, err := stack.Remove()
	if err != nil {
		return err
	}
	return w.takePart(ctx, srv, stageStack, script)
}

// takeSites removes every site, as Sites.Delete does.
func (c *core) takeSites(ctx context.Context, w *work, srv *Server) error {
	if err := w.stage(ctx, stageSites); err != nil {
		return err
	}
	var sites []*Site
	page := Page{Limit: MaxPage}
	err := w.view(ctx, func(tx Tx) error {
		for {
			some, err := tx.Sites().List(SiteFilter{Server: srv.ID}, page)
			if err != nil {
				return err
			}
			sites = append(sites, some...)
			if len(some) < page.Limit {
				return nil
			}
			page.After = some[len(some)-1].ID
		}
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

// takePart runs a script of the stack and puts what it says into the log.
func (w *work) takePart(ctx context.Context, srv *Server, stage, script string) error {
	if err := w.stage(ctx, stage); err != nil {
		return err
	}
	result, err := w.client(srv).Run(ctx, sshexec.Command{Script: script, Fence: w.fence})
	if result == nil || len(result.Stdout) == 0 {
		return err
	}
	return errors.Join(err, w.say(ctx, string(result.Stdout)))
}
