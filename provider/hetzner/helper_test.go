package hetzner_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/secret"
)

// world is a project at the vendor, and a Provider that uses it.
type world struct {
	*hetzner.Provider
	api *fake.API
	net *fakecloud.Transport
}

// newWorld makes a world in which every request and every answer is checked
// against the description of the API.
func newWorld(t *testing.T, cfg fake.Config) *world {
	t.Helper()
	api := fake.New(cfg)
	return &world{use(t, api, "token"), api, nil}
}

// faulty is a world in which requests go wrong.
func faulty(t *testing.T, cfg fake.Config, fault func(*http.Request) fakecloud.Fault) *world {
	t.Helper()
	w := newWorld(t, cfg)
	w.net = network(t, w.api)
	w.net.Fault = fault
	w.Provider = connect(t, w.net, "token")
	return w
}

// use makes another Provider for the same project, as another process would.
func use(t *testing.T, api *fake.API, token string) *hetzner.Provider {
	t.Helper()
	return connect(t, network(t, api), token)
}

func network(t *testing.T, api *fake.API) *fakecloud.Transport {
	t.Helper()
	description, err := fake.Description()
	require.NoError(t, err)
	return &fakecloud.Transport{Handler: api, Check: description.Checker(t)} //nolint:bodyclose // it is given a body, and opens none
}

func connect(t *testing.T, net http.RoundTripper, token string) *hetzner.Provider {
	t.Helper()
	p, err := hetzner.New(hetzner.Config{Token: secret.New(token), Transport: net, Region: "fsn1", Size: "cx23", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return p
}

// publicKey is the control key of all machines.
var publicKey = sync.OnceValue(newKey)

func newKey() string {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func hostKey(t *testing.T) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return pem.EncodeToMemory(block)
}

// spec is that of the n-th machine.
func spec(n int) provider.Spec {
	return provider.Spec{ID: fmt.Sprint("id-", n), Name: fmt.Sprint("web-", n), AuthorizedKey: publicKey()}
}
