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
	if _, err := s.f.ask(ctx, "Servers.AddPHP", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
	return s.changePHP(ctx, id, KindAddPHP, version)
}

// RemovePHP takes a version of PHP away from a server, with its packages and
// their settings. It is refused while a site uses the version.
func (s *Servers) RemovePHP(ctx context.Context, id, version string) (*Action, error) {
	if _, err := s.f.ask(ctx, "Servers.RemovePHP", Subject{SubjectServer, id}); err != nil {
		return nil, err
	}
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
		if err := srv.hasStack("PHP"); err != nil {
			return err
		}
		if err := mayChangePHP(t, srv, kind, version); err != nil {
			return err
		}
		if _, err := changePHPScript(srv, kind, version); err != nil {
			return err
		}
		action = &Action{Owner: srv.Owner, Actor: s.f.actor, Kind: kind, Server: srv.ID,
			Subject: Subject{SubjectServer, srv.ID}, Input: Input{Version: version}, Locks: []string{serverLock(srv.ID)}}
		return s.f.core.insert(t, action)
	})
	return action, err
}

// changePHPScript is the script of the change.
func changePHPScript(srv *Server, kind Kind, version string) (stack.Script, error) {
	change := stack.RemovePHP
	if kind == KindAddPHP {
		change = stack.AddPHP
	}
	script, err := change(srv.stackConfig(false), version)
	return script, asInvalid(err)
}

// mayChangePHP refuses a change that is not possible now.
func mayChangePHP(tx Tx, srv *Server, kind Kind, version string) error {
	has := slices.Contains(srv.Stack.PHP, version)
	switch {
	case kind == KindAddPHP && has:
		return badState("the server has PHP %s already", version)
	case kind == KindAddPHP:
		return nil
	case !has:
		return badState("the server has no PHP %s", version)
	}
	for site, err := range sitesOn(tx, srv.ID) {
		if err != nil {
			return err
		}
		if site.PHPVersion == version {
			return badState("the site %s uses PHP %s", site.Domain, version)
		}
	}
	for a, err := range actionsOf(tx, ActionFilter{Server: srv.ID, Kind: KindUpdateSite, Open: true}) {
		if err != nil {
			return err
		}
		// One that fails goes back.
		if r := a.Input.Restore; r != nil && r.PHPVersion != nil && *r.PHPVersion == version {
			return badState("an update of the site %s from PHP %s is not finished", a.Subject.ID, version)
		}
	}
	if srv.Stack.Composer && len(srv.Stack.PHP) == 1 {
		return badState("Composer needs PHP %s", version)
	}
	return nil
}

// changePHP looks again whether the change is possible, as others may have
// changed the server while it waited, and runs it. What has begun goes on: apt is
// not stopped in the middle.
func (c *core) changePHP(ctx context.Context, w *work) error {
	var srv *Server
	var script stack.Script
	kind, version := w.action.Kind, w.action.Input.Version
	err := w.view(ctx, func(tx Tx) (err error) {
		if srv, err = tx.Servers().Get(w.action.Server); err != nil {
			return err
		}
		if w.action.Cursor.Run == "" {
			if err := mayChangePHP(tx, srv, kind, version); err != nil {
				return err
			}
		}
		script, err = changePHPScript(srv, kind, version)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "php"); err != nil {
		return err
	}
	return w.detached(ctx, srv, sshexec.RunSpec{ID: w.runID(), Script: script.Bytes, Dir: "/", Fence: w.fence}, watchSteps)
}

// phpChanged makes the record follow, whoever saw the end of the run.
func (c *core) phpChanged(t *txn, a *Action) error {
	if a.Status != ActionFinished {
		return nil
	}
	srv, err := orNone(t.Servers().Get(a.Server))
	if srv == nil {
		return err
	}
	version := a.Input.Version
	srv.Stack.PHP = slices.DeleteFunc(srv.Stack.PHP, func(v string) bool { return v == version })
	if a.Kind == KindAddPHP {
		srv.Stack.PHP = append(srv.Stack.PHP, version)
	}
	srv.Updated = t.Now()
	return t.Servers().Update(srv)
}

// leavingPHP are the versions that are about to be taken from the server.
func (s *Server) leavingPHP(tx Tx) (versions []string, err error) {
	open, err := tx.Actions().List(ActionFilter{Server: s.ID, Kind: KindRemovePHP, Open: true}, Page{Limit: MaxPage})
	for _, a := range open {
		versions = append(versions, a.Input.Version)
	}
	return versions, err
}
