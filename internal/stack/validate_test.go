package stack_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/stack"
)

func TestValidateSaysWhatCanBeHad(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*stack.Config)
		want   stack.FieldError
	}{
		"unknown system": {func(c *stack.Config) { c.OS = "debian-11" },
			stack.FieldError{Field: "image", Rule: "must be one of debian-12, debian-13, ubuntu-22.04 or ubuntu-24.04"}},
		"source": {func(c *stack.Config) { c.Source = "pip" },
			stack.FieldError{Field: "source", Rule: "must be distro or upstream"}},
		"PHP of upstream alone": {func(c *stack.Config) { c.PHP = []string{"8.3"} },
			stack.FieldError{Field: "php", Rule: "debian-12 packages have PHP 8.2; use source upstream for 8.3"}},
		"PHP of nobody": {func(c *stack.Config) { c.PHP = []string{"8.2", "5.3; reboot"} },
			stack.FieldError{Field: "php", Rule: "debian-12 packages have PHP 8.2"}},
		"PHP of nobody upstream": {func(c *stack.Config) { c.Source, c.PHP = stack.Upstream, []string{"5.3"} },
			stack.FieldError{Field: "php", Rule: "source upstream has PHP 8.1, 8.2, 8.3, 8.4 or 8.5 for debian-12"}},
		"PHP twice": {func(c *stack.Config) { c.PHP = []string{"8.2", "8.2"} },
			stack.FieldError{Field: "php", Rule: "8.2 is named twice"}},
		"Composer alone": {func(c *stack.Config) { c.Composer = true },
			stack.FieldError{Field: "composer", Rule: "needs a version of PHP"}},
		"MySQL on Debian": {func(c *stack.Config) { c.Database = stack.MySQL },
			stack.FieldError{Field: "database", Rule: "debian-12 packages have no mysql; use mariadb or postgresql, or source upstream"}},
		"unknown database": {func(c *stack.Config) { c.Database = "oracle" },
			stack.FieldError{Field: "database", Rule: "must be mysql, mariadb or postgresql, or empty"}},
		"database version": {func(c *stack.Config) { c.Database, c.DatabaseVersion = stack.PostgreSQL, "16" },
			stack.FieldError{Field: "database_version", Rule: "debian-12 packages have postgresql 15; use source upstream for 16"}},
		"version of no database": {func(c *stack.Config) { c.DatabaseVersion = "16" },
			stack.FieldError{Field: "database_version", Rule: "needs a database"}},
		"Node": {func(c *stack.Config) { c.Node = "20" },
			stack.FieldError{Field: "node", Rule: "debian-12 packages have Node 18; use source upstream for 20"}},
		"Node of the distribution alone": {func(c *stack.Config) { c.OS, c.Source, c.Node = "ubuntu-22.04", stack.Upstream, "12" },
			stack.FieldError{Field: "node", Rule: "source upstream has Node 18, 20, 22 or 24 for ubuntu-22.04; use source distro for 12"}},
		"swap": {func(c *stack.Config) { c.SwapMB = -1 },
			stack.FieldError{Field: "swap_mb", Rule: "must be from 0 to 65536 MiB"}},
		"timezone that climbs": {func(c *stack.Config) { c.Timezone = "Europe/../../etc/passwd" },
			stack.FieldError{Field: "timezone", Rule: "must be the name of a zone, as Europe/Berlin"}},
		"port": {func(c *stack.Config) { c.SSHPort = 70000 },
			stack.FieldError{Field: "port", Rule: "must be from 1 to 65535"}},
		"user with a slash": {func(c *stack.Config) { c.LoginUser = "../root" },
			stack.FieldError{Field: "user", Rule: "must be the name of a unix user"}},
		"user with sites": {func(c *stack.Config) { c.LoginUser = "forge" },
			stack.FieldError{Field: "user", Rule: "must not be forge, the user of the sites, who has no sudo"}},
		"no control key": {func(c *stack.Config) { c.ControlKey = "" },
			stack.FieldError{Field: "control_key", Rule: "must be one line of authorized_keys without options"}},
		"two control keys": {func(c *stack.Config) { c.ControlKey += "\n" + controlKey },
			stack.FieldError{Field: "control_key", Rule: "must be one line of authorized_keys without options"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bare("debian-12")
			test.change(&c)
			_, err := stack.Build(c)
			var field *stack.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, test.want, *field)
		})
	}
}

// Whatever validation lets through, bash reads as the same words again.
func TestValuesStayWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := bare(rapid.SampledFrom([]string{"debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"}).Draw(t, "os"))
		c.ControlKey = strings.TrimSuffix(controlKey, "forge's key") + rapid.String().Draw(t, "comment")
		c.Timezone = rapid.OneOf(rapid.StringMatching(`[A-Z][a-z]{1,5}/[A-Z_a-z+-]{1,9}`), rapid.String()).Draw(t, "timezone")
		c.LoginUser = rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9-]{0,9}`), rapid.String()).Draw(t, "user")
		script, err := stack.Build(c)
		if err != nil {
			t.Skip(err)
		}
		variables, _, found := bytes.Cut(script.Bytes, []byte("# Runs the steps"))
		require.True(t, found)
		probe := append(bytes.Clone(variables), `printf '%s\0' "$control_key" "$timezone" "$login_user"`...)
		cmd := exec.Command("bash")
		cmd.Stdin = bytes.NewReader(probe)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		normal := c.Normalize()
		require.Equal(t, strings.Join([]string{c.ControlKey, normal.Timezone, normal.LoginUser, ""}, "\x00"), string(out))
	})
}

func TestServicesAreThoseOfTheStack(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"nginx"}, stack.Services(bare("debian-12")))
	c := bare("debian-12")
	c.PHP, c.Database, c.Redis, c.Supervisor = []string{"8.2"}, stack.MariaDB, true, true
	require.Equal(t, []string{"nginx", "php8.2-fpm", "mariadb", "redis-server", "supervisor"}, stack.Services(c))
}

func TestNormalizePutsDefaultsIn(t *testing.T) {
	t.Parallel()
	c := stack.Config{OS: "debian-12", Database: stack.PostgreSQL}.Normalize()
	require.Equal(t, stack.Config{
		OS: "debian-12", Source: stack.Distro, Database: stack.PostgreSQL, DatabaseVersion: "15",
		Timezone: "UTC", SSHPort: 22, LoginUser: "root",
	}, c)
}
