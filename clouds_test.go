package forge_test

import (
	"fmt"
	"log/slog"
	"net/http"
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

// A thousand servers are asked for at once, by the vendors' own rate limits.
func TestAThousandServersAtOnce(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]func(*testing.T) (*fakecloud.Transport, provider.Provider, func() int){
		"digitalocean": func(t *testing.T) (*fakecloud.Transport, provider.Provider, func() int) {
			api := fakeocean.New(fakeocean.Config{PerHour: 5000, PerMinute: 250, Boot: 40 * time.Second})
			way := &fakecloud.Transport{Handler: api}
			p, err := digitalocean.New(digitalocean.Config{Token: secret.New("token"), Region: "fra1", Size: "s-1vcpu-1gb",
				Transport: way, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			return way, p, api.Made
		},
		"hetzner": func(t *testing.T) (*fakecloud.Transport, provider.Provider, func() int) {
			api := fakehetzner.New(fakehetzner.Config{PerHour: 3600, Boot: 20 * time.Second})
			way := &fakecloud.Transport{Handler: api}
			p, err := hetzner.New(hetzner.Config{Token: secret.New("token"), Region: "fsn1", Size: "cx23",
				Transport: way, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			return way, p, api.Made
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				const servers = 1000
				way, p, made := account(t)
				var requests, refused atomic.Int32
				way.Check = func(_ *http.Request, _ []byte, answer *http.Response, _ []byte) {
					requests.Add(1)
					if answer.StatusCode == http.StatusTooManyRequests {
						refused.Add(1)
					}
				}
				w := newWorld(t, store, q, providertest.FakeConfig{})
				w.machines = p
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
				require.Equal(t, servers, made())
				var memory runtime.MemStats
				runtime.ReadMemStats(&memory)
				t.Logf("%d servers in %v with %d requests, of which %d were refused; %d MiB taken from the system",
					servers, time.Since(began).Round(time.Second), requests.Load(), refused.Load(), memory.Sys>>20)
				require.Zero(t, refused.Load(), "what would be refused is not asked")
			})
		})
	}
}
