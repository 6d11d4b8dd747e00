package digitalocean_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/digitalocean/godo"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{})
	network, firewall := api.AddNetwork(), api.AddFirewall("web")
	s := spec(t, "a")
	s.Image, s.Size = "ubuntu-24.04", "s-2vcpu-4gb"
	s.Options = provider.Options{UserData: "#cloud-config\npackages: [htop]\n", Backups: true, Monitoring: true, Network: network, Firewalls: []string{firewall}}
	m, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	droplet, ok := provider.As[*godo.Droplet](m)
	require.True(t, ok)
	require.Equal(t, m.ID, strconv.Itoa(droplet.ID))

	d := api.Droplets()[0]
	require.Equal(t, "ubuntu-24-04-x64", d.Image)
	require.Equal(t, "s-2vcpu-4gb", d.Size)
	require.Equal(t, "fra1", d.Region)
	require.True(t, d.Backups && d.Monitoring && d.IPv6)
	require.Equal(t, network, d.Network)
	require.True(t, api.Guards(firewall, d))
	require.Contains(t, d.UserData, "htop")
	require.Contains(t, d.UserData, "ed25519_private")
	require.Equal(t, []string{s.AuthorizedKey}, d.Keys)
	require.Equal(t, "forge:a", api.Keys()[0].Name)

	s2 := spec(t, "b")
	s2.Firewalls = []string{firewall}
	_, err = p.Create(t.Context(), s2)
	require.NoError(t, err)
	require.True(t, api.Guards(firewall, api.Droplets()[0]))
	require.Equal(t, 1, api.Taken("POST /v2/firewalls/{id}/tags"), "a firewall is tagged once")
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	const unknown = "3c1f1f5a-0a4e-4a55-9f52-7f6c7f1d2b11"
	tests := map[string]struct {
		change func(*provider.Spec)
		kind   error
		says   string
	}{
		"no key":              {func(s *provider.Spec) { s.AuthorizedKey = "" }, provider.ErrInvalid, "AuthorizedKey"},
		"no such region":      {func(s *provider.Spec) { s.Region = "mars1" }, provider.ErrInvalid, "ams3, fra1, nyc1"},
		"closed region":       {func(s *provider.Spec) { s.Region = "ams2" }, provider.ErrCapacity, "ams2"},
		"no such size":        {func(s *provider.Spec) { s.Size = "huge" }, provider.ErrInvalid, "s-2vcpu-4gb"},
		"size elsewhere":      {func(s *provider.Spec) { s.Size = "s-1vcpu-512mb-10gb" }, provider.ErrCapacity, "available in ams3, nyc1"},
		"size sold out":       {func(s *provider.Spec) { s.Size = "s-1vcpu-3gb" }, provider.ErrCapacity, "s-1vcpu-3gb is not available"},
		"no such image":       {func(s *provider.Spec) { s.Image = "plan-9" }, provider.ErrInvalid, "debian-12, debian-13"},
		"image of no name":    {func(s *provider.Spec) { s.Image = "../../account" }, provider.ErrInvalid, "debian-12, debian-13"},
		"image elsewhere":     {func(s *provider.Spec) { s.Image = "fedora-42" }, provider.ErrInvalid, "fedora-42"},
		"own image elsewhere": {func(s *provider.Spec) { s.Image, s.Region = "108", "ams3" }, provider.ErrInvalid, "108"},
		"IPv6 alone":          {func(s *provider.Spec) { s.IPv6Only = true }, provider.ErrInvalid, "ipv6_only"},
		"long user data":      {func(s *provider.Spec) { s.UserData = "#!" + strings.Repeat("x", 64<<10) }, provider.ErrInvalid, "UserData"},
		"bad network":         {func(s *provider.Spec) { s.Network = "../x" }, provider.ErrInvalid, "Network"},
		"no such network":     {func(s *provider.Spec) { s.Network = unknown }, provider.ErrInvalid, "VPC"},
		"bad firewall":        {func(s *provider.Spec) { s.Firewalls = []string{"../../account"} }, provider.ErrInvalid, "Firewalls"},
		"no such firewall":    {func(s *provider.Spec) { s.Firewalls = []string{unknown} }, provider.ErrInvalid, unknown},
		"label of forge":      {func(s *provider.Spec) { s.Labels = map[string]string{"forge": "x"} }, provider.ErrInvalid, `label "forge"`},
		"long label":          {func(s *provider.Spec) { s.Labels = map[string]string{"note": strings.Repeat("x", 252)} }, provider.ErrInvalid, `label "note"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, _, p := account(t, fake.Config{})
			s := spec(t, "a")
			test.change(&s)
			m, err := p.Create(t.Context(), s)
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, "digitalocean: ")
			require.Nil(t, m)
			require.Empty(t, api.Droplets())
			require.Empty(t, api.Keys(), "no key is left")
		})
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{})
	for asked, got := range map[string]string{
		"":                 "debian-12-x64",
		"debian-13":        "debian-13-x64",
		"debian-13-x64":    "debian-13-x64",
		"ubuntu-22.04":     "ubuntu-22-04-x64",
		"ubuntu-22-04-x64": "ubuntu-22-04-x64",
		"docker-20-04":     "107",
		"108":              "108",
	} {
		s := spec(t, "id-"+strings.ReplaceAll(asked, ".", "")+"-0")
		s.Image = asked
		_, err := p.Create(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, got, api.Droplets()[0].Image)
	}
}

// TestForeign has droplets of others beside those of forge.
func TestForeign(t *testing.T) {
	t.Parallel()
	api, way, p := account(t, fake.Config{})
	staging := connect(t, way, digitalocean.Config{Namespace: "forge-staging"})
	s := spec(t, "a")
	theirs, err := staging.Create(t.Context(), s)
	require.NoError(t, err)
	foreign := []string{
		theirs.ID,
		strconv.Itoa(api.AddDroplet("bare")),
		strconv.Itoa(api.AddDroplet("marked", "forge")),
		strconv.Itoa(api.AddDroplet("other", "forge:id:a")),
		strconv.Itoa(api.AddDroplet("broken", "forge", "forge:id:_zz")),
	}
	for _, id := range foreign {
		_, err := p.Get(t.Context(), id)
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.NoError(t, p.Delete(t.Context(), id))
		require.ErrorIs(t, p.PowerOff(t.Context(), id), provider.ErrNotFound)
		require.ErrorIs(t, p.Resize(t.Context(), id, "s-2vcpu-4gb"), provider.ErrNotFound)
		require.ErrorIs(t, p.Rebuild(t.Context(), id, "debian-13"), provider.ErrNotFound)
	}
	all, err := p.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
	ours, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	require.NotEqual(t, theirs.ID, ours.ID, "one namespace does not see the other")
	require.Len(t, api.Droplets(), len(foreign)+1)
}

func TestDoubles(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{})
	one, two := api.AddDroplet("one", "forge", "forge:id:a"), api.AddDroplet("two", "forge", "forge:id:a")
	_, err := p.Create(t.Context(), spec(t, "a"))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, strconv.Itoa(one))
	require.ErrorContains(t, err, strconv.Itoa(two))
	require.Zero(t, api.Made())
	require.NoError(t, p.Delete(t.Context(), strconv.Itoa(two)))
	m, err := p.Create(t.Context(), spec(t, "a"))
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(one), m.ID)
}

// TestAmbiguous has the answer to the order go wrong in each way.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault fakecloud.Fault
		made  bool
	}{
		"cut":            {fakecloud.Fault{Cut: true}, false},
		"lost":           {fakecloud.Fault{Lost: true}, true},
		"503 before":     {fakecloud.Fault{Status: 503}, false},
		"503 afterwards": {fakecloud.Fault{Status: 503, Lost: true}, true},
		"bare 404":       {fakecloud.Fault{Status: 404}, false},
		"bare 422 after": {fakecloud.Fault{Status: 422, Lost: true}, true},
		"redirect":       {fakecloud.Fault{Status: 307}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api, way, p := account(t, fake.Config{})
				orders := 0
				way.Fault = func(r *http.Request) fakecloud.Fault {
					if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets") {
						orders++
						return test.fault
					}
					return fakecloud.Fault{}
				}
				m, err := p.Create(t.Context(), spec(t, "a"))
				require.Equal(t, 1, orders, "an order is given once")
				if test.made {
					require.NoError(t, err)
					require.NotEmpty(t, m.ID)
					require.Equal(t, 1, api.Made())
					return
				}
				require.ErrorIs(t, err, provider.ErrUnavailable)
				require.Empty(t, api.Droplets())
				require.Empty(t, api.Keys())
			})
		})
	}
}

// TestCancelledOrder ends the context while the order is on its way: the droplet is
// found all the same.
func TestCancelledOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		way.Fault = func(r *http.Request) fakecloud.Fault {
			return fakecloud.Fault{Lost: r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets")}
		}
		check := way.Check
		way.Check = func(r *http.Request, asked []byte, answer *http.Response, answered []byte) {
			check(r, asked, answer, answered)
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets") {
				cancel()
			}
		}
		m, err := p.Create(ctx, spec(t, "a"))
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(api.Droplets()[0].ID), m.ID)
	})
}

// TestLateOrder has an order arrive after it was given up: it is refused, as its key
// is gone.
func TestLateOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{})
		late := make(chan int, 1)
		way.Fault = func(r *http.Request) fakecloud.Fault {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/droplets") {
				return fakecloud.Fault{}
			}
			body, err := r.GetBody()
			if err != nil {
				t.Error(err)
			}
			again := r.Clone(context.WithoutCancel(r.Context()))
			again.Body = body
			go func() {
				time.Sleep(time.Minute)
				straight := &fakecloud.Transport{Handler: api}
				resp, err := straight.RoundTrip(again)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				late <- resp.StatusCode
			}()
			return fakecloud.Fault{Cut: true}
		}
		_, err := p.Create(t.Context(), spec(t, "a"))
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.Equal(t, http.StatusUnprocessableEntity, <-late)
		require.Empty(t, api.Droplets())
	})
}

// half breaks the connection in the midst of the answer to the order.
type half struct{ http.RoundTripper }

func (h half) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets") {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, 100), iotest.ErrReader(fakecloud.ErrLost)), resp.Body}
	}
	return resp, err
}

func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	api, way, _ := account(t, fake.Config{})
	p, err := digitalocean.New(digitalocean.Config{
		Token: secret.New("token"), Region: "fra1", Size: "s-1vcpu-1gb", Transport: half{way}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	m, err := p.Create(t.Context(), spec(t, "a"))
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(api.Droplets()[0].ID), m.ID)
	require.Equal(t, 1, api.Made())
}
