package access

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
)

// A key that two accounts have opens a server for as long as one of them lets it in.
func TestOneKeyOfTwoOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	h, on := w.fleet.Hosts[0], forge.Selector{Servers: []string{w.servers[0].ID}, User: "deploy"}
	ada := w.person("ada")
	other, err := w.For("acme").Keys.Add(t.Context(), forge.KeyOpts{Name: "ada too", Public: ada.key.Public})
	require.NoError(t, err)
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, on))
	w.done(w.Keys.Sync(t.Context(), other.ID, on))
	revoked := w.done(w.Keys.Revoke(t.Context(), other.ID, on, &forge.RevokeOpts{EndSessions: true}))
	parts, err := w.Actions.List(t.Context(), forge.ActionFilter{Parent: revoked.ID}, forge.Page{})
	require.NoError(t, err)
	require.Equal(t, []string{"the key stays, as another grant lets the same one in"}, w.said(parts[0]))
	ada.getsIn(h, "deploy")
	w.done(w.Keys.Revoke(t.Context(), ada.key.ID, on, nil))
	ada.isRefused(h, "deploy")
}

// What was revoked under an id that is gone takes nothing from the key that is there
// under another, with whatever somebody put before it.
func TestKeyThatWasAddedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	h, on := w.fleet.Hosts[0], forge.Selector{All: true, User: "deploy"}
	ada, bob := w.person("ada"), w.person("bob")
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, on))
	w.done(w.Keys.Sync(t.Context(), bob.key.ID, on))
	w.done(w.Keys.Delete(t.Context(), ada.key.ID))
	again, err := w.Keys.Add(t.Context(), forge.KeyOpts{Name: "ada", Public: ada.key.Public})
	require.NoError(t, err)
	w.done(w.Keys.Sync(t.Context(), again.ID, on))
	w.bash(h, `sed -i "\|$1|s|^|no-pty |; \|$2|d" "$3"`, ada.key.Public, bob.key.Public, keyFile("deploy"))
	before := w.file(h, "deploy")
	a := w.done(w.Keys.Enforce(t.Context(), on, nil))
	require.Equal(t, before+bob.line(), w.file(h, "deploy"))
	require.Equal(t, []string{"added " + bob.key.Fingerprint + " for deploy"}, w.said(a))
}

// sshd takes an RSA key by the names of its signatures as well.
func TestReturnedUnderAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	h, on := w.fleet.Hosts[0], forge.Selector{All: true, User: "deploy"}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, err := ssh.NewPublicKey(&private.PublicKey)
	require.NoError(t, err)
	key, err := w.Keys.Add(t.Context(), forge.KeyOpts{Name: "old", Public: string(ssh.MarshalAuthorizedKey(public))})
	require.NoError(t, err)
	w.done(w.Keys.Sync(t.Context(), key.ID, on))
	w.done(w.Keys.Revoke(t.Context(), key.ID, on, nil))
	before := w.file(h, "deploy")
	w.bash(h, `printf '%s forge:unmanaged\n' "$1" >>"$2"`, strings.Replace(key.Public, "ssh-rsa", "rsa-sha2-512", 1), keyFile("deploy"))
	found := w.drift(on)[h.Name]
	require.Equal(t, forge.DriftReturned, found[0].State)
	require.Equal(t, key.ID, found[0].Key)
	w.done(w.Keys.Enforce(t.Context(), on, nil))
	require.Equal(t, before, w.file(h, "deploy"))
}

// Whoever writes a line may claim in it to be one of forge's.
func TestMarkIsNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	h, on := w.fleet.Hosts[0], forge.Selector{All: true, User: "deploy"}
	ada, eve := w.person("ada"), w.person("eve")
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, on))
	w.bash(h, `printf '%s forge:%s\n' "$1" "$2" >>"$3"`, eve.key.Public, ada.key.ID, keyFile("deploy"))
	for _, k := range w.drift(on)[h.Name] {
		require.Equal(t, forge.DriftUnknown, k.State)
		require.Empty(t, k.Key)
	}
}
