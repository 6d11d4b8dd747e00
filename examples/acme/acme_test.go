package acme_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/examples/acme"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/secret"
)

func connect(t *testing.T, w *wire, token string) *acme.Provider {
	t.Helper()
	p, err := acme.New(acme.Config{Token: secret.New(token), Region: "fra1", Size: "small", Transport: w})
	require.NoError(t, err)
	return p
}

// The suite that every provider has to pass.
func TestConformance(t *testing.T) {
	t.Parallel()
	a := new(api)
	foreign := map[string]any{"id": "7", "name": "database", "labels": map[string]any{"forge": "staging", "forge-id": "x"}}
	a.servers = append(a.servers, foreign)
	a.last = 100
	providertest.Test(t, connect(t, &wire{Handler: a.handler()}, "secret"), &providertest.Options{
		Spec:      func(int) provider.Spec { return provider.Spec{Region: "fra1", Size: "small", Image: "debian-12"} },
		UnknownID: "7", // which another installation of forge has
		NoLogin:   true,
		Poll:      time.Millisecond,
	})
	require.Equal(t, 2, a.made)
	require.Equal(t, []map[string]any{foreign}, a.servers, "what forge did not make is left")
	require.Empty(t, a.keys)
}

// Whatever is lost on the way, an id has one server, and in the end nothing is left.
func TestLostAnswersMakeNoSecondServer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			a := new(api)
			p := connect(t, &wire{Handler: a.handler(), lose: func() (bool, bool) {
				n := random.IntN(10)
				return n < 2, n == 2 || n == 3
			}}, "secret")
			var m *provider.Machine
			wanted := spec(t, "s1")
			again(t, func() (err error) { m, err = p.Create(t.Context(), wanted); return err })
			require.Equal(t, 1, a.made, "seed %d", seed)
			require.Len(t, a.keys, 1)
			again(t, func() error { return p.Delete(t.Context(), m.ID) })
			require.Empty(t, a.servers, "seed %d", seed)
			require.Empty(t, a.keys, "seed %d", seed)
		})
	}
}

// The answer to the order is a proxy's, and the list is behind: the server is there.
func TestServerIsLookedForUntilTheListHasIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &api{behind: 2}
		h := a.handler()
		p := connect(t, &wire{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/v1/servers" {
				h.ServeHTTP(httptest.NewRecorder(), r)
				http.Error(w, "<html>not today</html>", http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})}, "secret")
		m, err := p.Create(t.Context(), spec(t, "s1"))
		require.NoError(t, err)
		require.Equal(t, a.servers[0]["id"], m.ID)
		require.Equal(t, 1, a.made)
		require.Len(t, a.keys, 1)
	})
}

// again tries what passes until it works, as forge does.
func again(t *testing.T, call func() error) {
	t.Helper()
	for {
		err := call()
		if !errors.Is(err, provider.ErrUnavailable) && !errors.Is(err, provider.ErrRateLimit) {
			require.NoError(t, err)
			return
		}
		time.Sleep(time.Second)
	}
}

func spec(t *testing.T, id string) provider.Spec {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return provider.Spec{ID: id, Name: "web-1", AuthorizedKey: string(ssh.MarshalAuthorizedKey(key))}
}

// A key that the account has is used, and is there when the server is gone.
func TestKeyOfOthersIsLeft(t *testing.T) {
	t.Parallel()
	a := new(api)
	p := connect(t, &wire{Handler: a.handler()}, "secret")
	s := spec(t, "s1")
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.AuthorizedKey))
	require.NoError(t, err)
	a.keys = append(a.keys, map[string]any{"id": "9", "name": "mine", "fingerprint": ssh.FingerprintSHA256(public)})
	m, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, a.keys, 1)
	require.NoError(t, p.Delete(t.Context(), m.ID))
	require.Len(t, a.keys, 1)
}

// Two servers of one id, made by whatever, are for a person to settle.
func TestDoubledServersAreNamed(t *testing.T) {
	t.Parallel()
	a := new(api)
	for n := range 4 {
		labels := map[string]any{"forge": "forge", "forge-id": fmt.Sprint("s", n%2)}
		a.servers = append(a.servers, map[string]any{"id": fmt.Sprint(n + 1), "labels": labels})
	}
	_, err := connect(t, &wire{Handler: a.handler()}, "secret").Create(t.Context(), spec(t, "s1"))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, "servers 2, 4 all bear the id s1: delete all but one")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	a := new(api)
	err := connect(t, &wire{Handler: a.handler()}, "wrong").Validate(t.Context())
	require.ErrorIs(t, err, provider.ErrAuth)
	require.ErrorContains(t, err, "make a new API token")
	var told *acme.Error
	require.ErrorAs(t, err, &told)
	require.Equal(t, 401, told.Status)

	p := connect(t, &wire{Handler: a.handler()}, "secret")
	s := spec(t, "s1")
	s.Region = "ams2"
	_, err = p.Create(t.Context(), s)
	require.ErrorIs(t, err, provider.ErrCapacity)
	require.ErrorContains(t, err, "size small is not available in ams2; there are arm, and small is available in fra1")
	require.Empty(t, a.keys)
}
