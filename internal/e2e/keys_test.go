package e2e

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
)

// laptop is somebody's computer with an ssh client and a key.
type laptop struct {
	server     *forge.Server
	key, hosts string // files
	public     string
}

func newLaptop(t *testing.T, srv *forge.Server) *laptop {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), err.Error())
		t.Skip(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	sshPublic, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	dir := t.TempDir()
	l := &laptop{
		server: srv, key: filepath.Join(dir, "id_ed25519"), hosts: filepath.Join(dir, "known_hosts"),
		public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshPublic))),
	}
	require.NoError(t, os.WriteFile(l.key, pem.EncodeToMemory(block), 0o600))
	var hosts bytes.Buffer
	for _, key := range srv.HostKeys {
		hosts.WriteString(srv.Address + " " + strings.TrimSpace(key) + "\n")
	}
	require.NoError(t, os.WriteFile(l.hosts, hosts.Bytes(), 0o600))
	return l
}

// login runs a command over ssh as a user.
func (l *laptop) login(t *testing.T, user, command string) (string, error) {
	t.Helper()
	out, err := l.ssh(t, user, command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (l *laptop) ssh(t *testing.T, user, command string) *exec.Cmd {
	return exec.CommandContext(t.Context(), "ssh", "-F", "none", "-i", l.key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+l.hosts, "-o", "LogLevel=ERROR",
		user+"@"+l.server.Address, command)
}

// stay logs in, and stays until the session ends, which closes the channel.
func (l *laptop) stay(t *testing.T, user string) <-chan struct{} {
	t.Helper()
	cmd := l.ssh(t, user, "echo in; cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "in\n", said)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-ended
	})
	return ended
}

// refused checks that a login is refused because of the key.
func (l *laptop) refused(t *testing.T, user string) {
	t.Helper()
	out, err := l.login(t, user, "true")
	require.Error(t, err)
	require.Contains(t, out, "Permission denied (publickey)")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	l := newLaptop(t, srv)
	s := newSite(t, e, srv, forge.SiteOpts{Kind: forge.StaticSite})
	users := []string{"forge", s.User}
	key, err := e.Keys.Add(t.Context(), forge.KeyOpts{Name: "laptop", Public: l.public + " ada@laptop"})
	require.NoError(t, err)
	_, err = e.Keys.Add(t.Context(), forge.KeyOpts{Name: "again", Public: l.public})
	require.ErrorIs(t, err, forge.ErrConflict)

	for _, user := range users {
		l.refused(t, user)
		to := forge.Selector{Servers: []string{srv.ID}, User: user}
		action, err := e.Keys.Sync(t.Context(), key.ID, to)
		e.finish(t, action, err)
		who, err := l.login(t, user, "id -un")
		require.NoError(t, err, who)
		require.Equal(t, user, who)
		e.grant(t, key.ID, user, forge.GrantSynced)
	}

	// Whoever is in leaves the door open.
	for _, user := range users {
		out, err := l.login(t, user, `umask 077; mkdir -p ~/.ssh && echo '`+l.public+`' >~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys
cp ~/.ssh/authorized_keys ~/.ssh/authorized_keys2; echo `+"'"+l.public+"'"+` >>/etc/ssh/authorized_keys.d/`+user+` || echo kept out`)
		require.NoError(t, err, out)
		require.Contains(t, out, "kept out")
	}
	for _, user := range users {
		to := forge.Selector{Servers: []string{srv.ID}, User: user}
		action, err := e.Keys.Revoke(t.Context(), key.ID, to, nil)
		e.finish(t, action, err)
		l.refused(t, user)
		e.grant(t, key.ID, user, forge.GrantRevoked)
	}
	action, err := e.Keys.Delete(t.Context(), key.ID)
	e.finish(t, action, err)
}

func (e *embedder) grant(t *testing.T, key, user string, status forge.GrantStatus) {
	t.Helper()
	grants, err := e.Keys.Grants(t.Context(), forge.GrantFilter{Key: key, User: user}, forge.Page{})
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Equal(t, status, grants[0].Status)
	require.False(t, grants[0].Synced.IsZero())
	require.Equal(t, status == forge.GrantRevoked, !grants[0].Revoked.IsZero())
}

// A revoke can end what was begun with the key, and nothing that another key began.
func TestSessionsOfARevokedKeyEnd(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newSite(t, e, srv, forge.SiteOpts{Kind: forge.StaticSite})
	as := forge.Selector{Servers: []string{srv.ID}, User: s.User}
	var keys []*forge.Key
	var sessions []<-chan struct{}
	for range 2 {
		l := newLaptop(t, srv)
		key, err := e.Keys.Add(t.Context(), forge.KeyOpts{Name: "laptop", Public: l.public})
		require.NoError(t, err)
		action, err := e.Keys.Sync(t.Context(), key.ID, as)
		e.finish(t, action, err)
		keys, sessions = append(keys, key), append(sessions, l.stay(t, s.User))
	}
	action, err := e.Keys.Revoke(t.Context(), keys[0].ID, as, &forge.RevokeOpts{EndSessions: true})
	e.finish(t, action, err)
	<-sessions[0]
	for line, err := range e.Actions.Follow(t.Context(), action.ID, 0) {
		require.NoError(t, err)
		require.Equal(t, "sessions that were ended: 1", line.Text)
	}
	select {
	case <-sessions[1]:
		require.Fail(t, "the session of another key has ended too")
	default:
	}
}
