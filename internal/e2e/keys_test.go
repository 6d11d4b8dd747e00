package e2e

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
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
	cmd := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-i", l.key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+l.hosts, "-o", "LogLevel=ERROR",
		user+"@"+l.server.Address, command)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
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
