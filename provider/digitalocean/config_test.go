package digitalocean_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	token := secret.New("token")
	for name, cfg := range map[string]digitalocean.Config{
		"no token":        {},
		"token of lines":  {Token: secret.New("a\nb")},
		"bad namespace":   {Token: token, Namespace: "Forge"},
		"tag of one":      {Token: token, Namespace: "forge:id"},
		"relative":        {Token: token, Endpoint: "/v2"},
		"another scheme":  {Token: token, Endpoint: "file:///etc"},
		"not an endpoint": {Token: token, Endpoint: "http://[::1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := digitalocean.New(cfg)
			require.ErrorIs(t, err, provider.ErrInvalid)
			require.ErrorContains(t, err, "digitalocean: ")
		})
	}
}

// TestRedirect has an answer that points elsewhere: neither the token nor the order
// goes there.
func TestRedirect(t *testing.T) {
	t.Parallel()
	hosts := make(map[string]int)
	way := &fakecloud.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts[r.URL.Host]++
		http.Redirect(w, r, "https://elsewhere.example.test/", http.StatusTemporaryRedirect)
	})}
	p := connect(t, way, digitalocean.Config{Endpoint: "https://api.example.test/proxy"})
	_, err := p.List(t.Context())
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.Equal(t, map[string]int{"api.example.test": 1}, hosts)
}
