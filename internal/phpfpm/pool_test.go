package phpfpm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/phpfpm"
)

var pool = phpfpm.Pool{ID: "0190-ab", User: "site", Socket: "/run/php/forge-0190-ab.sock"}

// settings reads "section key" = value.
func settings(text string) map[string]string {
	found, section := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, ";"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		default:
			if key, value, ok := strings.Cut(line, " = "); ok {
				found[section+" "+key] = value
			}
		}
	}
	return found
}

func TestPool(t *testing.T) {
	t.Parallel()
	text, err := pool.Config()
	require.NoError(t, err)
	got := settings(string(text))
	for key, value := range map[string]string{
		"user": "site", "group": "site", "listen": pool.Socket,
		"listen.owner": "root", "listen.group": "www-data", "listen.mode": "0660",
		"pm": "ondemand", "pm.max_children": "10", "clear_env": "yes",
		"security.limit_extensions":                   ".php",
		"php_value[opcache.revalidate_freq]":          "0",
		"php_admin_flag[opcache.validate_permission]": "on",
	} {
		require.Equal(t, value, got["forge-0190-ab "+key], key)
	}
	require.Equal(t, "10s", got["global process_control_timeout"])
}

// Whatever is let through parses to what went in, and adds no setting.
func poolParsesBack(t *rapid.T) {
	plain, err := pool.Config()
	require.NoError(t, err)
	p := phpfpm.Pool{
		ID:     rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9-]{1,70}`)).Draw(t, "id"),
		User:   rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9_-]{1,40}`)).Draw(t, "user"),
		Socket: "/" + rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9./-]{1,120}`)).Draw(t, "socket"),
	}
	text, err := p.Config()
	if err != nil {
		return
	}
	got := settings(string(text))
	require.Len(t, got, len(settings(string(plain))))
	require.Equal(t, p.User, got["forge-"+p.ID+" user"])
	require.Equal(t, p.User, got["forge-"+p.ID+" group"])
	require.Equal(t, p.Socket, got["forge-"+p.ID+" listen"])
}

func TestPoolProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, poolParsesBack)
}

func FuzzPool(f *testing.F) { f.Fuzz(rapid.MakeFuzz(poolParsesBack)) }

func TestPoolRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*phpfpm.Pool){
		"no id":           func(p *phpfpm.Pool) { p.ID = "" },
		"id with bracket": func(p *phpfpm.Pool) { p.ID = "a]" },
		"root":            func(p *phpfpm.Pool) { p.User = "root" },
		"user by line":    func(p *phpfpm.Pool) { p.User = "a\nuser = root" },
		"port":            func(p *phpfpm.Pool) { p.Socket = "9000" },
		"long socket":     func(p *phpfpm.Pool) { p.Socket = "/" + strings.Repeat("a", 107) },
		"children":        func(p *phpfpm.Pool) { p.MaxChildren = -1 },
	} {
		p := pool
		change(&p)
		_, err := p.Config()
		require.Error(t, err, name)
	}
}
