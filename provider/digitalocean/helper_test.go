package digitalocean_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// account makes an account, the way to it, and a provider. All that is sent and
// answered is held against the vendor's description.
func account(t *testing.T, cfg fake.Config) (*fake.API, *fakecloud.Transport, *digitalocean.Provider) {
	t.Helper()
	description, err := fake.Description()
	require.NoError(t, err)
	api := fake.New(cfg)
	way := &fakecloud.Transport{Handler: api, Check: description.Checker(t)} //nolint:bodyclose // it is a check of the answer, and no answer
	return api, way, connect(t, way, digitalocean.Config{})
}

func connect(t *testing.T, way *fakecloud.Transport, cfg digitalocean.Config) *digitalocean.Provider {
	t.Helper()
	if cfg.Token.Empty() {
		cfg.Token = secret.New("token")
	}
	cfg.Region, cfg.Size, cfg.Transport, cfg.Logger = "fra1", "s-1vcpu-1gb", way, slog.New(slog.DiscardHandler)
	p, err := digitalocean.New(cfg)
	require.NoError(t, err)
	return p
}

// spec is one with a key of its own.
func spec(t *testing.T, id string) provider.Spec {
	t.Helper()
	signer, _ := newKey(t)
	_, hostKey := newKey(t)
	return provider.Spec{
		ID:            id,
		Name:          "web-" + strings.ToLower(strings.ReplaceAll(id, "_", "-")),
		AuthorizedKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))),
		HostKey:       hostKey,
	}
}

func newKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	return signer, pem.EncodeToMemory(block)
}

// order is the operation that makes a droplet.
const order = "POST /v2/droplets"
