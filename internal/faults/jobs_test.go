package faults

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

// job is a row of the table.
type job struct {
	kind forge.Kind
	gate string // the command in the middle of it; empty where it does nothing on the server
	// prepare makes what the job works on, and returns what asks for the job.
	prepare func(t *testing.T, w *world) (ask func(*testing.T) *forge.Action)
	// forget removes the record that the job works on; nil where there is none.
	forget func(tx forge.Tx, a *forge.Action) error
}

// jobs are the rows in the order in which they are tried on one server. The
// two that make a server come before, and the one that deletes it after them.
var jobs = []job{
	{forge.KindCreateSite, "useradd", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		_, action, err := w.Sites.Create(t.Context(), w.server.ID, forge.SiteOpts{
			Domain: w.name("site") + ".example.org", Kind: forge.StaticSite,
		})
		return action, err
	}), forgetSite},
	{forge.KindSetEnvironment, "stat", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		return w.Sites.SetEnvironment(t.Context(), w.site.ID, []forge.EnvVar{{Name: "KEY", Value: secret.New("some value")}})
	}), forgetSite},
	{forge.KindUpdateSite, "nginx", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		site := w.newSite(t, "")
		return asks(func(t *testing.T) (*forge.Action, error) {
			_, action, err := w.Sites.Update(t.Context(), site.ID, forge.SiteUpdate{Aliases: &[]string{w.name("alias") + ".example.org"}})
			return action, err
		})
	}, forgetSite},
	{forge.KindDeploy, "gate", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		d, err := w.Deployments.Trigger(t.Context(), w.site.ID, nil)
		require.NoError(t, err)
		return w.Actions.Get(t.Context(), d.Action)
	}), func(tx forge.Tx, a *forge.Action) error { return tx.Deployments().Delete(a.Subject.ID) }},
	{forge.KindDeleteSite, "userdel", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		site := w.newSite(t, "")
		return asks(func(t *testing.T) (*forge.Action, error) { return w.Sites.Delete(t.Context(), site.ID) })
	}, forgetSite},
	{forge.KindSyncKey, "perl", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		key := w.newKey(t)
		return asks(func(t *testing.T) (*forge.Action, error) { return w.Keys.Sync(t.Context(), key, w.everywhere()) })
	}, forgetGrant},
	{forge.KindRevokeKey, "perl", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		key := w.syncedKey(t)
		return asks(func(t *testing.T) (*forge.Action, error) { return w.Keys.Revoke(t.Context(), key, w.everywhere(), nil) })
	}, forgetGrant},
	{forge.KindCutKey, "perl", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		key := w.syncedKey(t)
		return asks(func(t *testing.T) (*forge.Action, error) {
			return w.Keys.Revoke(t.Context(), key, w.everywhere(), &forge.RevokeOpts{EndSessions: true})
		})
	}, forgetGrant},
	{forge.KindEnforceServer, "perl", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		w.syncedKey(t)
		w.machine.Inside(t, "rm /etc/ssh/authorized_keys.d/forge") // which has to come again
		return asks(func(t *testing.T) (*forge.Action, error) { return w.Keys.Enforce(t.Context(), w.everywhere(), nil) })
	}, forgetServer},
	{forge.KindRotateKey, "perl", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		return w.Keys.RotateControl(t.Context(), w.everywhere())
	}), forgetServer},
	{forge.KindRestartService, "systemctl", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		return w.Servers.RestartService(t.Context(), w.server.ID, "nginx")
	}), forgetServer},
	{forge.KindAddPHP, "apt-get", func(t *testing.T, w *world) func(*testing.T) *forge.Action {
		if w.missing {
			w.machine.Inside(t, `dpkg --purge "php$1-redis"`, php())
		}
		return asks(func(t *testing.T) (*forge.Action, error) {
			w.hasPHP(t)
			return w.Servers.AddPHP(t.Context(), w.server.ID, php())
		})
	}, forgetServer},
	{forge.KindRemovePHP, "apt-get", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		w.hasPHP(t, php())
		return w.Servers.RemovePHP(t.Context(), w.server.ID, php())
	}), forgetServer},
	{forge.KindExec, "gate", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		return w.Servers.Exec(t.Context(), w.server.ID, forge.ExecOpts{User: "forge", Command: "gate"})
	}), forgetServer},
	{forge.KindReboot, "systemctl", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		return w.Servers.Reboot(t.Context(), w.server.ID)
	}), forgetServer},
	{forge.KindValidate, "", simply(func(t *testing.T, w *world) (*forge.Action, error) {
		return w.Servers.ValidateProvider(t.Context(), "local")
	}), nil},
}

// everyJob are the jobs and, at the end, the one that deletes the server.
func everyJob() []job { return append(jobs[:len(jobs):len(jobs)], deleteServer) }

var deleteServer = job{forge.KindDeleteServer, "", simply(func(t *testing.T, w *world) (*forge.Action, error) {
	return w.Servers.Delete(t.Context(), w.server.ID, nil)
}), forgetServer}

// asks is for a job that is asked for without an error.
func asks(ask func(*testing.T) (*forge.Action, error)) func(*testing.T) *forge.Action {
	return func(t *testing.T) *forge.Action {
		action, err := ask(t)
		require.NoError(t, err)
		return action
	}
}

// simply is for a job that needs no preparation.
func simply(ask func(*testing.T, *world) (*forge.Action, error)) func(*testing.T, *world) func(*testing.T) *forge.Action {
	return func(_ *testing.T, w *world) func(*testing.T) *forge.Action {
		return asks(func(t *testing.T) (*forge.Action, error) { return ask(t, w) })
	}
}

func forgetSite(tx forge.Tx, a *forge.Action) error   { return tx.Sites().Delete(a.Subject.ID) }
func forgetGrant(tx forge.Tx, a *forge.Action) error  { return tx.Grants().Delete(a.Subject.ID) }
func forgetServer(tx forge.Tx, a *forge.Action) error { return tx.Servers().Delete(a.Server) }

// hasPHP has the record say that the server has these versions of PHP, whatever
// it has.
func (w *world) hasPHP(t *testing.T, versions ...string) {
	t.Helper()
	w.update(t, func(tx forge.Tx) error {
		srv, err := tx.Servers().Get(w.server.ID)
		if err != nil {
			return err
		}
		srv.Stack.PHP = versions
		return tx.Servers().Update(srv)
	})
}

func (w *world) everywhere() forge.Selector { return forge.Selector{Servers: []string{w.server.ID}} }

// syncedKey makes a key that may log in to the server.
func (w *world) syncedKey(t *testing.T) (id string) {
	t.Helper()
	id = w.newKey(t)
	action, err := w.Keys.Sync(t.Context(), id, w.everywhere())
	w.finish(t, action, err)
	return id
}

func (w *world) newKey(t *testing.T) (id string) {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	line, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	key, err := w.Keys.Add(t.Context(), forge.KeyOpts{Name: w.name("key"), Public: string(ssh.MarshalAuthorizedKey(line))})
	require.NoError(t, err)
	return key.ID
}
