package stack

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// FieldError names the field of a Config at fault and the rule that it breaks.
type FieldError struct{ Field, Rule string }

// Error says the field and the rule.
func (e *FieldError) Error() string { return e.Field + ": " + e.Rule }

func invalid(field, rule string, args ...any) error {
	return &FieldError{Field: field, Rule: fmt.Sprintf(rule, args...)}
}

const maxSwapMB = 64 << 10

// Validate checks everything that can be known before there is a machine. Its
// error is a *FieldError, which says what can be had instead.
func (c Config) Validate() error {
	c = c.Normalize()
	if _, ok := offers()[c.OS]; !ok {
		return invalid("image", "must be one of %s", list(slices.Sorted(maps.Keys(offers()))))
	}
	if c.Source != Distro && c.Source != Upstream {
		return invalid("source", "must be %s or %s", Distro, Upstream)
	}
	for _, check := range []func() error{
		c.checkPHP, c.checkDatabase, c.checkNode, c.checkSystem, c.checkLogin, c.checkOwn, c.checkProxies,
	} {
		err := check()
		var broken *validate.Error
		if errors.As(err, &broken) {
			return &FieldError{Field: broken.Field, Rule: broken.Rule}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkPHP() error {
	for i, version := range c.PHP {
		if !slices.Contains(c.php(), version) {
			return c.missing("php", "PHP", version, c.php(), Config.php)
		}
		if slices.Contains(c.PHP[:i], version) {
			return invalid("php", "%s is named twice", version)
		}
	}
	if c.Composer && len(c.PHP) == 0 {
		return invalid("composer", "needs a version of PHP")
	}
	return nil
}

func (c Config) checkDatabase() error {
	if c.Database == "" {
		if c.DatabaseVersion != "" {
			return invalid("database_version", "needs a database")
		}
		return nil
	}
	versions := func(c Config) []string { return c.databases()[c.Database] }
	switch had := versions(c); {
	case !slices.Contains([]string{MySQL, MariaDB, PostgreSQL}, c.Database):
		return invalid("database", "must be %s, %s or %s, or empty", MySQL, MariaDB, PostgreSQL)
	case len(had) == 0:
		return invalid("database", "%s packages have no %s; use %s, or source %s",
			c.OS, c.Database, list(slices.Sorted(maps.Keys(c.databases()))), Upstream)
	case !slices.Contains(had, c.DatabaseVersion):
		return c.missing("database_version", c.Database, c.DatabaseVersion, had, versions)
	}
	return nil
}

func (c Config) checkNode() error {
	if c.Node != "" && !slices.Contains(c.node(), c.Node) {
		return c.missing("node", "Node", c.Node, c.node(), Config.node)
	}
	return nil
}

// missing says what there is of a thing, and whether the other source has what
// was asked for.
func (c Config) missing(field, thing, version string, had []string, versions func(Config) []string) error {
	rule := fmt.Sprintf("%s packages have %s %s", c.OS, thing, list(had))
	if c.Source == Upstream {
		rule = fmt.Sprintf("source %s has %s %s for %s", Upstream, thing, list(had), c.OS)
	}
	other := c
	other.Source = Upstream
	if c.Source == Upstream {
		other.Source = Distro
	}
	if slices.Contains(versions(other), version) {
		rule += fmt.Sprintf("; use source %s for %s", other.Source, version)
	}
	return &FieldError{Field: field, Rule: rule}
}

var zone = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

func (c Config) checkSystem() error {
	switch {
	case c.SwapMB < 0 || c.SwapMB > maxSwapMB:
		return invalid("swap_mb", "must be from 0 to %d MiB", maxSwapMB)
	case !zone.MatchString(c.Timezone) || len(c.Timezone) > 64:
		return invalid("timezone", "must be the name of a zone, as Europe/Berlin")
	case c.SSHPort < 1 || c.SSHPort > 65535:
		return invalid("port", "must be from 1 to 65535")
	}
	return nil
}

var user = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

func (c Config) checkLogin() error {
	switch {
	case !user.MatchString(c.LoginUser):
		return invalid("user", "must be the name of a unix user")
	case c.LoginUser == "forge":
		return invalid("user", "must not be forge, the user of the sites, who has no sudo")
	}
	_, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(c.ControlKey))
	if err != nil || len(options) > 0 || len(rest) > 0 || strings.ContainsAny(c.ControlKey, "\r\n\x00") {
		return invalid("control_key", "must be one line of authorized_keys without options")
	}
	return nil
}

// list writes "a", "a or b", "a, b or c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
