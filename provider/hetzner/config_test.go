package hetzner_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	token := secret.New("token")
	for field, configs := range map[string][]hetzner.Config{
		"Token":     {{}, {Token: secret.New("a\nb")}},
		"Namespace": {{Token: token, Namespace: "a b"}, {Token: token, Namespace: "-a"}},
		"Endpoint":  {{Token: token, Endpoint: "api.example.test"}, {Token: token, Endpoint: "ftp://api.example.test"}},
	} {
		for _, cfg := range configs {
			_, err := hetzner.New(cfg)
			require.ErrorIs(t, err, provider.ErrInvalid)
			require.ErrorContains(t, err, "hetzner: ")
			require.ErrorContains(t, err, field)
		}
	}
}

func TestConfigHidesTheToken(t *testing.T) {
	t.Parallel()
	require.NotContains(t, fmt.Sprintf("%+v", hetzner.Config{Token: secret.New("hunter2")}), "hunter2")
}
