package forge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
)

func (w *world) seal(value, place string) secret.Sealed {
	sealed, err := w.sealer.Seal(w.t.Context(), secret.New(value), place)
	require.NoError(w.t, err)
	return sealed
}

// sealed is a world with a server and two sites that have secrets, whose commands
// print what the test says and then fail with it.
func sealed(t *testing.T, store forge.Store, q queue.Queue) (*world, *forge.Server, [2]*forge.Site) {
	w := newWorld(t, store, q, providertest.FakeConfig{})
	srv := w.addServer("", func(s *forge.Server) {
		s.ControlKey = w.seal("-----BEGIN KEY-----\ncontrol-key-line\n-----END KEY-----\n", "servers/"+s.ID+"/control_key")
		s.DatabasePassword = w.seal("database-password", "servers/"+s.ID+"/database_password")
	})
	var sites [2]*forge.Site
	for i := range sites {
		sites[i] = w.addSite(srv, fmt.Sprintf("s%d.example.com", i), func(s *forge.Site) {
			s.RepositoryToken = w.seal(fmt.Sprint("token-of-", i), "sites/"+s.ID+"/repository_token")
			s.Webhook.Previous = w.seal(fmt.Sprint("old-hook-of-", i), "sites/"+s.ID+"/webhook")
			s.Environment = w.seal(fmt.Sprintf(`[{"Name":"A","Value":"value-of-%d"},{"Name":"B","Value":"plain-of-%d","Plain":true}]`, i, i),
				"sites/"+s.ID+"/environment")
		})
	}
	return w, srv, sites
}

// TestSecretsAreFrozen changes every secret while a run is under way, whose
// output a second worker reads.
func TestSecretsAreFrozen(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w, srv, sites := sealed(t, store, q)
		const output = "database-password new-password token-of-0 new-token old-hook-of-0 value-of-0 plain-of-0 " +
			"token-of-1 control-key-line\n"
		tries := 0
		w.Stub(forge.KindDeploy, func(ctx context.Context, work forge.TestWork) error {
			require.NoError(t, work.StartsRun(ctx))
			if tries++; tries == 1 {
				srv.DatabasePassword = w.seal("new-password", "servers/"+srv.ID+"/database_password")
				sites[0].RepositoryToken = w.seal("new-token", "sites/"+sites[0].ID+"/repository_token")
				sites[0].Webhook, sites[0].Environment = forge.RotatingSecret{}, nil
				w.put(func(tx forge.Tx) error {
					return errors.Join(tx.Servers().Update(srv), tx.Sites().Update(sites[0]))
				})
				return work.Wait(1)
			}
			a := w.get(work.Action().ID)
			set, err := w.sealer.Open(ctx, a.Secrets, "actions/"+a.ID+"/secrets")
			require.NoError(t, err)
			require.NotEmpty(t, set.Reveal())
			require.NoError(t, work.Deliver(ctx, func(_ int64, log io.Writer) error {
				_, err := io.WriteString(log, output)
				return err
			}))
			work.RunEnded()
			return errors.New("it said: " + output)
		})
		defer w.start()()
		d, err := w.Deployments.Trigger(t.Context(), sites[0].ID, nil)
		require.NoError(t, err)
		_, err = w.Deployments.Wait(t.Context(), d.ID)
		require.ErrorIs(t, err, forge.ErrFailed)
		const want = "[secret] [secret] [secret] [secret] [secret] [secret] plain-of-0 token-of-1 [secret]"
		require.ErrorContains(t, err, want)
		var said []string
		for line, err := range w.Actions.Log(t.Context(), d.Action, 0, 0) {
			require.NoError(t, err)
			said = append(said, line.Text)
		}
		require.Equal(t, []string{want, "it said: " + want}, said)
		require.Empty(t, w.get(d.Action).Secrets, "nothing more comes that they would be masked in")
		d, err = w.Deployments.Get(t.Context(), d.ID)
		require.NoError(t, err)
		require.Contains(t, d.Failure, want)
	})
}

// TestWhoseSecretsAreMasked runs commands as several users.
func TestWhoseSecretsAreMasked(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w, srv, sites := sealed(t, store, q)
		w.Stub(forge.KindExec, func(_ context.Context, work forge.TestWork) error {
			return errors.New(work.Action().Input.Command)
		})
		defer w.start()()
		for user, want := range map[string]string{
			"forge":       "[secret] value-of-0 value-of-1",
			sites[0].User: "[secret] [secret] value-of-1",
			sites[1].User: "[secret] value-of-0 [secret]",
			"root":        "[secret] [secret] [secret]",
		} {
			a, err := w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: user, Command: "database-password value-of-0 value-of-1"})
			require.NoError(t, err)
			a, err = w.Actions.Wait(t.Context(), a.ID)
			require.Error(t, err)
			require.Equal(t, want, a.Failure.Message, user)
		}

		// A long text is cut, and so may a secret be; one that is whole keeps its end.
		long := strings.Repeat("x", 16<<10-5)
		for command, want := range map[string]string{long + "value-of-0": long, "exit status v": "exit status v"} {
			a, err := w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: "root", Command: command})
			require.NoError(t, err)
			a, err = w.Actions.Wait(t.Context(), a.ID)
			require.Error(t, err)
			require.Equal(t, want, a.Failure.Message)
		}
	})
}

// What masks is made anew where a secret changed, and only there.
func TestMaskerIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w, srv, _ := sealed(t, store, q)
		w.Stub(forge.KindExec, func(ctx context.Context, work forge.TestWork) error {
			first, err := work.Masker(ctx)
			require.NoError(t, err)
			second, err := work.Masker(ctx)
			require.NoError(t, err)
			require.Same(t, first, second)
			srv.RedisPassword = w.seal("redis-password", "servers/"+srv.ID+"/redis_password")
			w.put(func(tx forge.Tx) error { return tx.Servers().Update(srv) })
			third, err := work.Masker(ctx)
			require.NoError(t, err)
			require.NotSame(t, first, third)
			return errors.New("redis-password")
		})
		defer w.start()()
		a, err := w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: "root", Command: "true"})
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.ErrorContains(t, err, "[secret]")
	})
}

// TestUnmaskable has a secret that cannot be opened any more.
func TestUnmaskable(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w, srv, _ := sealed(t, store, q)
		srv.RedisPassword = secret.Sealed("broken")
		w.put(func(tx forge.Tx) error { return tx.Servers().Update(srv) })
		w.Stub(forge.KindExec, func(context.Context, forge.TestWork) error { return errors.New("database-password") })
		defer w.start()()
		a, err := w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: "root", Command: "true"})
		require.NoError(t, err)
		a, err = w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Contains(t, a.Failure.Message, "cannot be masked")
	})
}

// A server that is deleted is kept for the audit, and its secrets are not.
func TestDeletedServerHasNoSecrets(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w, srv, _ := sealed(t, store, q)
		defer w.start()()
		creds, err := w.Servers.Credentials(t.Context(), srv.ID)
		require.NoError(t, err)
		require.Equal(t, "database-password", creds.DatabasePassword.Reveal())
		a, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		gone := w.read(srv.ID)
		require.Equal(t, forge.ServerDeleted, gone.Status)
		require.Empty(t, slices.Concat(gone.ControlKey, gone.InjectedHostKey, gone.DatabasePassword, gone.RedisPassword))
		_, err = w.Servers.Credentials(t.Context(), srv.ID)
		require.ErrorIs(t, err, forge.ErrState)
	})
}
