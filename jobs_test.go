package forge_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// onServers are the jobs that work on servers, with the type of their subject.
var onServers = map[forge.Kind]forge.SubjectKind{
	forge.KindProvision:      forge.SubjectServer,
	forge.KindInstallStack:   forge.SubjectServer,
	forge.KindDeleteServer:   forge.SubjectServer,
	forge.KindCreateSite:     forge.SubjectSite,
	forge.KindDeleteSite:     forge.SubjectSite,
	forge.KindDeploy:         forge.SubjectDeployment,
	forge.KindSyncKey:        forge.SubjectGrant,
	forge.KindRevokeKey:      forge.SubjectGrant,
	forge.KindRestartService: forge.SubjectServer,
	forge.KindReboot:         forge.SubjectServer,
	forge.KindExec:           forge.SubjectServer,
	forge.KindRotateKey:      forge.SubjectServer,
}

// A job whose record is gone when it runs ends quietly: nothing is tried, and
// nothing is said but the reason.
func TestJobsWithoutTheirRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		defer w.start()()
		srv := w.addServer("acme")
		for kind, subject := range onServers {
			servers := []string{newID()}
			if subject != forge.SubjectServer {
				servers = append(servers, srv.ID) // there, but not what is on it
			}
			for _, server := range servers {
				a := w.insert(func(a *forge.Action) {
					a.Kind, a.Server, a.Subject = kind, server, forge.Subject{Kind: subject, ID: newID()}
					a.Locks = []string{"server-" + server}
					a.Input.Keys = []string{newID()}
					if subject == forge.SubjectServer {
						a.Subject.ID = server
					}
				})
				_, err := w.Actions.Wait(t.Context(), a.ID)
				require.Error(t, err)
				ended := w.get(a.ID)
				require.Equal(t, forge.ActionCancelled, ended.Status, kind)
				require.Equal(t, forge.ReasonGone, ended.Failure.Reason, kind)
				for line, err := range w.Actions.Log(t.Context(), a.ID, 0, 0) {
					require.NoError(t, err)
					require.Fail(t, line.Text, kind)
				}
			}
		}
		require.Empty(t, w.cloud.Calls())
	})
}

// askForAll asks for the work of each job on the machine of a server, and returns the
// actions by kind. No worker must run.
func (w *world) askForAll(srv *forge.Server) map[forge.Kind]*forge.Action {
	ctx, f := w.t.Context(), w.Forge
	asked := map[forge.Kind]*forge.Action{}
	ask := func(a *forge.Action, err error) {
		require.NoError(w.t, err)
		asked[a.Kind] = a
	}
	ask(f.Servers.RestartService(ctx, srv.ID, "nginx"))
	ask(f.Servers.Reboot(ctx, srv.ID))
	ask(f.Servers.Exec(ctx, srv.ID, forge.ExecOpts{Command: "id", User: "root"}))
	d, err := f.Deployments.Trigger(ctx, w.addSite(srv, "deployed.example.com").ID, nil)
	require.NoError(w.t, err)
	ask(f.Actions.Get(ctx, d.Action))
	ask(f.Sites.Delete(ctx, w.addSite(srv, "deleted.example.com").ID))
	part := func(parent *forge.Action, err error) {
		require.NoError(w.t, err)
		parts, err := f.Actions.List(ctx, forge.ActionFilter{Parent: parent.ID}, forge.Page{})
		require.NoError(w.t, err)
		ask(parts[0], nil)
	}
	_, setUp, err := f.Sites.Create(ctx, srv.ID, forge.SiteOpts{Domain: "created.example.com", Kind: forge.StaticSite})
	part(setUp, err)
	key := w.addKey(srv.Owner)
	part(f.Keys.Sync(ctx, key.ID, forge.Selector{Servers: []string{srv.ID}}))
	w.put(func(tx forge.Tx) error {
		return tx.Grants().Insert(&forge.Grant{ID: newID(), Owner: srv.Owner, Key: key.ID, Server: srv.ID, User: "deploy", Status: forge.GrantSynced})
	})
	part(f.Keys.Revoke(ctx, key.ID, forge.Selector{Servers: []string{srv.ID}, User: "deploy"}, nil))
	a := &forge.Action{Owner: srv.Owner, Kind: forge.KindInstallStack, Server: srv.ID,
		Subject: forge.Subject{Kind: forge.SubjectServer, ID: srv.ID}, Locks: []string{"server-" + srv.ID}}
	ask(a, f.Insert(ctx, a))
	return asked
}

// What cannot reach its machine says so, in a word that a program can act on,
// and how far it came.
func TestJobsWithoutAMachine(t *testing.T) {
	for name, gone := range map[string]bool{"unreachable": false, "gone at the provider": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
				stop := w.start()
				srv, a := w.create()
				_, err := w.Actions.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				stop()
				if gone {
					require.NoError(t, w.cloud.Delete(t.Context(), w.read(srv.ID).ProviderID))
				}
				w = w.join(store, q)
				asked := w.askForAll(srv)
				defer w.start()()
				for kind, a := range asked {
					a, err := w.Actions.Wait(t.Context(), a.ID)
					require.Error(t, err, kind)
					require.Equal(t, forge.ActionFailed, a.Status, kind)
					f := a.Failure
					require.NotEmpty(t, f.Stage, kind)
					require.Contains(t, f.Message, "nothing listens", kind)
					if gone {
						require.Equal(t, forge.ReasonGone, f.Reason, kind)
						require.Contains(t, f.Message, "the provider does not have the machine any more", kind)
						continue
					}
					switch kind {
					case forge.KindRestartService, forge.KindDeleteSite, forge.KindSyncKey, forge.KindRevokeKey:
						require.Equal(t, forge.ReasonUnreachable, f.Reason, kind)
						require.Equal(t, 3, a.Attempt, kind)
					default:
						require.Equal(t, forge.ReasonTimeout, f.Reason, kind)
					}
				}
				deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
				require.NoError(t, err)
				_, err = w.Actions.Wait(t.Context(), deleted.ID)
				require.NoError(t, err, "what is gone is deleted")
			})
		})
	}
}

// A machine that shows another key gets nothing.
func TestJobsOnAMachineWithAnotherKey(t *testing.T) {
	t.Parallel()
	m := newPlayed(t, nil)
	_, err := m.Servers.Run(t.Context(), m.server.ID, forge.RunOpts{Script: "true", User: "root"})
	require.NoError(t, err)
	require.Len(t, m.read(m.server.ID).HostKeys, 1)
	m.ssh.Set(sshtest.Faults{HostKey: otherHostKey(t)})
	m.world = m.join(m.store, m.queue) // without a connection
	asked := m.askForAll(m.server)
	defer m.start()()
	for kind, a := range asked {
		a, err := m.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err, kind)
		require.Equal(t, forge.ReasonHostKey, a.Failure.Reason, kind)
		require.Equal(t, 1, a.Attempt, kind)
		require.True(t, strings.Contains(a.Failure.Message, "pin the new key"), "%s: %s", kind, a.Failure.Message)
	}
}
