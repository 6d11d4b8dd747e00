package forge

import (
	"context"
	"slices"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// AddPHP installs another version of PHP on a server, as "8.3", with which
// sites can then be made. Which versions there are depends on the server's
// image and on Stack.Source. The server's record has the version when the
// action is finished; one that fails can be asked for again.
func (s *Servers) AddPHP(ctx context.Context, id, version string) (*Action, error) {
	return s.changePHP(ctx, id, KindAddPHP, version)
}

// RemovePHP takes a version of PHP away from a server, with its packages and
// their settings. It is refused while a site uses the version.
func (s *Servers) RemovePHP(ctx context.Context, id, version string) (*Action, error) {
	return s.changePHP(ctx, id, KindRemovePHP, version)
}

func (s *Servers) changePHP(ctx context.Context, id string, kind Kind, version string) (action *Action, err error) {
	if version, err = validate.PHPVersion("php", version); err != nil {
		return nil, asInvalid(err)
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.activeServer(t, id)
		if err != nil {
			return err
		}
		if _, err := changePHPScript(t, srv, kind, version); err != nil {
			return err
		}
		action = &Action{Owner: srv.Owner, Actor: s.f.actor, Kind: kind, Server: srv.ID,
			Subject: Subject{SubjectServer, srv.ID}, Input: Input{Version: version}, Locks: []string{serverLock(srv.ID)}}
		return s.f.core.insert(t, action)
	})
	return action, err
}

// changePHPScript is the script of the change, where that is possible now.
func changePHPScript(tx Tx, srv *Server, kind Kind, version string) (script stack.Script, err error) {
	has := slices.Contains(srv.Stack.PHP, version)
	switch {
	case kind == KindAddPHP && has:
		return script, badState("the server has PHP %s already", version)
	case kind == KindAddPHP:
		script, err = stack.AddPHP(srv.stackConfig(false), version)
		return script, asInvalid(err)
	case !has:
		return script, badState("the server has no PHP %s", version)
	}
	page := Page{Limit: MaxPage}
	for {
		sites, err := tx.Sites().List(SiteFilter{Server: srv.ID}, page)
		if err != nil {
			return script, err
		}
		for _, site := range sites {
			page.After = site.ID
			if site.PHPVersion == version {
				return script, badState("the site %s uses PHP %s", site.Domain, version)
			}
		}
		if len(sites) < page.Limit {
			break
		}
	}
	updates, err := tx.Actions().List(ActionFilter{Server: srv.ID, Kind: KindUpdateSite, Open: true}, Page{Limit: MaxPage})
	if err != nil {
		return script, err
	}
	for _, a := range updates { // one that fails goes back
		if r := a.Input.Restore; r != nil && r.PHPVersion != nil && *r.PHPVersion == version {
			return script, badState("an update of the site %s from PHP %s is not finished", a.Subject.ID, version)
		}
	}
	if srv.Stack.Composer && len(srv.Stack.PHP) == 1 {
		return script, badState("Composer needs PHP %s", version)
	}
	script, err = stack.RemovePHP(srv.stackConfig(false), version)
	return script, asInvalid(err)
}

// changePHP looks again whether the change is possible, as others may have
// changed the server while it waited, and runs it. The record follows.
func (c *core) changePHP(ctx context.Context, w *work) error {
	var srv *Server
	var script stack.Script
	kind, version := w.action.Kind, w.action.Input.Version
	err := w.view(ctx, func(tx Tx) (err error) {
		if srv, err = tx.Servers().Get(w.action.Server); err != nil {
			return err
		}
		script, err = changePHPScript(tx, srv, kind, version)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "php"); err != nil {
		return err
	}
	w.done = func(t *txn) error {
		srv, err := t.Servers().Get(srv.ID)
		if err != nil {
			return gone(err)
		}
		srv.Stack.PHP = slices.DeleteFunc(srv.Stack.PHP, func(v string) bool { return v == version })
		if kind == KindAddPHP {
			srv.Stack.PHP = append(srv.Stack.PHP, version)
		}
		srv.Updated = t.Now()
		return t.Servers().Update(srv)
	}
	return w.detached(ctx, srv, sshexec.RunSpec{ID: w.runID(), Script: script.Bytes, Dir: "/", Fence: w.fence}, watchSteps)
}
