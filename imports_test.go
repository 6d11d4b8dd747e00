package forge_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// heavy are the libraries that an embedder pays for only by importing the
// adapter that needs them.
var heavy = []string{
	"github.com/jackc/pgx", "github.com/riverqueue/river", "modernc.org/sqlite", "github.com/digitalocean/godo",
	"github.com/hetznercloud/hcloud-go", "github.com/tink-crypto/tink-go", "github.com/stretchr/testify",
	"github.com/vbauerster/mpb", "pgregory.net/rapid", "go.opentelemetry.io", "github.com/prometheus", "github.com/pressly/goose",
	"github.com/getkin/kin-openapi", "github.com/vultr/govultr",
}

// needs are those of them that an adapter is for.
var needs = map[string][]string{
	"./store/postgres":        {"github.com/jackc/pgx", "github.com/pressly/goose"},
	"./store/sqlite":          {"modernc.org/sqlite"},
	"./queue/river":           {"github.com/jackc/pgx", "github.com/riverqueue/river"},
	"./secret/tink":           {"github.com/tink-crypto/tink-go"},
	"./observe/otel":          {"go.opentelemetry.io"},
	"./provider/digitalocean": {"github.com/digitalocean/godo"},
	// Its metrics are an option, which the library links in any case.
	"./provider/hetzner": {"github.com/hetznercloud/hcloud-go", "github.com/prometheus"},
	"./provider/vultr":   {"github.com/vultr/govultr"},
}

const module = "github.com/seed-797f2c2c/forge"

func TestNothingLinksWhatItDoesNotNeed(t *testing.T) {
	t.Parallel()
	leaves := []string{"queue", "provider", "sshexec", "sshexec/internal", "secret"}
	tests := map[string][]string{ // of the module itself, what may be linked; nil for anything
		".":                       nil,
		"./queue":                 {"queue"},
		"./provider":              {"provider"},
		"./secret":                {"secret"},
		"./sshexec":               {"sshexec", "sshexec/internal"},
		"./queue/memory":          {"queue", "queue/memory"},
		"./provider/static":       append([]string{"provider/static", "internal"}, leaves...),
		"./provider/nspawn":       append([]string{"provider/nspawn", "provider/cloud", "internal"}, leaves...),
		"./provider/cloud":        {"provider", "provider/cloud"},
		"./provider/digitalocean": append([]string{"provider/digitalocean", "provider/cloud"}, leaves...),
		"./provider/hetzner":      append([]string{"provider/hetzner", "provider/cloud"}, leaves...),
		"./provider/vultr":        append([]string{"provider/vultr", "provider/cloud"}, leaves...),
		"./store/memory":          append([]string{"store/memory", "store/internal", "internal", "queue/memory", ""}, leaves...),
		"./store/postgres":        append([]string{"store/postgres", "store/internal", "internal", "queue/memory", ""}, leaves...),
		"./store/sqlite":          append([]string{"store/sqlite", "store/internal", "internal", "queue/memory", ""}, leaves...),
		"./queue/river":           {"queue", "queue/river"},
		"./secret/tink":           {"secret", "secret/tink"},
		"./observe/otel":          append([]string{"observe/otel", "internal", "queue/memory", ""}, leaves...),
	}
	for pkg, allowed := range tests {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			for _, dep := range deps(t, pkg) {
				for _, lib := range heavy {
					links := strings.HasPrefix(dep, lib) && !slices.Contains(needs[pkg], lib)
					require.False(t, links, "%s links %s", pkg, dep)
				}
				if own, ok := strings.CutPrefix(dep, module); ok && allowed != nil {
					require.True(t, within(strings.TrimPrefix(own, "/"), allowed), "%s links %s", pkg, dep)
				}
			}
		})
	}
}

// within reports whether a package is one of the allowed, or below internal ones.
func within(pkg string, allowed []string) bool {
	for _, a := range allowed {
		if pkg == a || strings.HasSuffix(a, "internal") && strings.HasPrefix(pkg, a+"/") {
			return true
		}
	}
	return false
}

func deps(t *testing.T, pkg string) []string {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}
