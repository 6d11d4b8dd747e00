package forge_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fakeocean "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	fakehetzner "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
)

// account is one at a vendor's fake.
type account struct {
	provider.Provider
	way     *fakecloud.Transport
	made    func() int // machines
	entries func() int // of keys
	path    string     // of a machine
}

func accounts() map[string]func(*testing.T) *account {
	return map[string]func(*testing.T) *account{
		"digitalocean": func(t *testing.T) *account {
			api := fakeocean.New(fakeocean.Config{PerHour: 5000, PerMinute: 250, Boot: 40 * time.Second})
			way := &fakecloud.Transport{Handler: api}
			p, err := digitalocean.New(digitalocean.Config{Token: secret.New("token"), Region: "fra1", Size: "s-1vcpu-1gb",
				Transport: way, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			return &account{p, way, api.Made, func() int { return len(api.Keys()) }, "/v2/droplets/"}
		},
		"hetzner": func(t *testing.T) *account {
			api := fakehetzner.New(fakehetzner.Config{PerHour: 3600, Boot: 20 * time.Second})
			way := &fakecloud.Transport{Handler: api}
			p, err := hetzner.New(hetzner.Config{Token: secret.New("token"), Region: "fsn1", Size: "cx23",
				Transport: way, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			return &account{p, way, api.Made, func() int { return len(api.Keys()) }, "/v1/servers/"}
		},
	}
}

// Somebody deletes the machine in the vendor's control panel, and then the server is
// deleted: nothing is left in the account.
func TestNothingIsLeftOfAMachineThatIsGone(t *testing.T) {
	t.Parallel()
	for name, open := range accounts() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				at := open(t)
				w := newWorld(t, store, q, providertest.FakeConfig{})
				w.machines = at.Provider
				w = w.join(store, q).installs()
				defer w.start()()
				srv, a := w.create()
				_, err := w.Actions.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, 1, at.entries())

				panel := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, at.path+w.read(srv.ID).ProviderID, nil)
				panel.Header.Set("Authorization", "Bearer token")
				at.way.Handler.ServeHTTP(httptest.NewRecorder(), panel)
				require.Equal(t, 1, at.entries())
				deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
				require.NoError(t, err)
				_, err = w.Actions.Wait(t.Context(), deleted.ID)
				require.NoError(t, err)
				require.Zero(t, at.entries())
			})
		})
	}
}

// A thousand servers are asked for at once, by the vendors' own rate limits.
func TestAThousandServersAtOnce(t *testing.T) {
	t.Parallel()
	for name, open := range accounts() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				const servers = 1000
				at := open(t)
				var requests, refused atomic.Int32
				at.way.Check = func(_ *http.Request, _ []byte, answer *http.Response, _ []byte) {
					requests.Add(1)
					if answer.StatusCode == http.StatusTooManyRequests {
						refused.Add(1)
					}
				}
				w := newWorld(t, store, q, providertest.FakeConfig{})
				w.machines = at.Provider
				w = w.join(store, q).installs()
				defer w.start()()
				began := time.Now()
				actions := make([]*forge.Action, servers)
				for i := range actions {
					_, actions[i] = w.create(func(o *forge.ServerOpts) { o.Name = fmt.Sprint("web-", i) })
				}
				for _, a := range actions {
					_, err := w.Actions.Wait(t.Context(), a.ID)
					require.NoError(t, err)
				}
				require.Equal(t, servers, at.made())
				var memory runtime.MemStats
				runtime.ReadMemStats(&memory)
				t.Logf("%d servers in %v with %d requests, of which %d were refused; %d MiB taken from the system",
					servers, time.Since(began).Round(time.Second), requests.Load(), refused.Load(), memory.Sys>>20)
				require.Zero(t, refused.Load(), "what would be refused is not asked")
			})
		})
	}
}
