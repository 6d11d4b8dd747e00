// Package phpfpm generates the FPM pools of sites: one for each, which runs as
// the site's own user.
package phpfpm

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// Pool describes the FPM pool of one site.
type Pool struct {
	ID     string // names the pool: lower-case letters, digits and dashes
	User   string // unix user, which has a group of the same name
	Socket string // absolute path
	// MaxChildren bounds the requests that are answered at once. Defaults to 10.
	MaxChildren int
}

//go:embed pool.conf.tmpl
var source string

var (
	idPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	userPattern = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)
)

// maxSocket is the longest path that the address of a unix socket holds.
const maxSocket = 107

// Config returns the configuration, which ends with a newline.
func (p Pool) Config() ([]byte, error) {
	switch {
	case !idPattern.MatchString(p.ID):
		return nil, fmt.Errorf("FPM pool: %q is not an id of lower-case letters, digits and dashes", p.ID)
	case !userPattern.MatchString(p.User):
		return nil, fmt.Errorf("FPM pool: %q is not the name of a unix user", p.User)
	case p.User == "root":
		return nil, fmt.Errorf("FPM pool: it must not run as root")
	case !pathPattern.MatchString(p.Socket) || len(p.Socket) > maxSocket:
		return nil, fmt.Errorf("FPM pool: %q is not the path of a socket", p.Socket)
	case p.MaxChildren < 0:
		return nil, fmt.Errorf("FPM pool: %d children", p.MaxChildren)
	}
	if p.MaxChildren == 0 {
		p.MaxChildren = 10
	}
	tmpl, err := template.New("pool").Parse(source)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, p); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
