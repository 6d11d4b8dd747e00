// Package deployscript has the deploy scripts that sites begin with, and puts
// the values of a site into a script.
package deployscript

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/nginx"
)

var (
	//go:embed php.sh
	php string
	//go:embed static.sh
	static string
)

// Default returns the script that a site of the kind begins with.
func Default(kind nginx.Kind) string {
	if kind == nginx.PHP {
		return php
	}
	return static
}

// Values are what a script can ask of its site.
type Values struct {
	Path   string // {{SITE_PATH}} and $FORGE_SITE_PATH
	Branch string // {{BRANCH}} and $FORGE_SITE_BRANCH
	Domain string // {{DOMAIN}} and $FORGE_SITE_DOMAIN
	Commit string // $FORGE_DEPLOY_COMMIT: the whole hash; may be empty
	PHP    string // $FORGE_PHP: the command, as "php8.3"; may be empty
}

// plain are the characters that mean nothing to a shell wherever they stand:
// bare, in quotes of either kind, in a here-document or in an expansion.
var plain = regexp.MustCompile(`^[A-Za-z0-9/_.][A-Za-z0-9/_.@+-]*$`)

// Render puts the values in the place of {{SITE_PATH}}, {{BRANCH}} and
// {{DOMAIN}}. A value that could need quotes somewhere in a shell script is an
// error if the script asks for it; $FORGE_SITE_BRANCH and its like, in quotes,
// hold any value.
func Render(script string, v Values) ([]byte, error) {
	for _, p := range []struct{ placeholder, value string }{
		{"{{SITE_PATH}}", v.Path}, {"{{BRANCH}}", v.Branch}, {"{{DOMAIN}}", v.Domain},
	} {
		if !strings.Contains(script, p.placeholder) {
			continue
		}
		if !plain.MatchString(p.value) {
			return nil, fmt.Errorf("deploy script: %q cannot stand for %s, as it would need quotes", p.value, p.placeholder)
		}
		script = strings.ReplaceAll(script, p.placeholder, p.value)
	}
	return []byte(script), nil
}

// Env is what the script finds in its environment.
func (v Values) Env() map[string]string {
	env := map[string]string{
		"FORGE_SITE_PATH":   v.Path,
		"FORGE_SITE_BRANCH": v.Branch,
		"FORGE_SITE_DOMAIN": v.Domain,
	}
	if v.Commit != "" {
		env["FORGE_DEPLOY_COMMIT"] = v.Commit
	}
	if v.PHP != "" {
		env["FORGE_PHP"] = v.PHP
	}
	return env
}
