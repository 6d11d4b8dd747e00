package nginx

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"text/template"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// Kind says what answers the requests for a site.
type Kind string

// The kinds of virtual hosts.
const (
	PHP    Kind = "php"    // files, and index.php for everything that is none
	Static Kind = "static" // files alone
	Proxy  Kind = "proxy"  // a program of the site's own
)

// Vhost describes the virtual host of one site.
type Vhost struct {
	ID       string   // names the logs: letters, digits and dashes
	Kind     Kind     // PHP, Static or Proxy
	Names    []string // host names in ASCII, the domain first
	Root     string   // absolute path of the web directory; not for Proxy
	Socket   string   // absolute path of the FPM pool's socket; for PHP alone
	Upstream string   // where the program listens, in the form of [validate.Upstream]; for Proxy alone
}

//go:embed vhost.conf.tmpl
var source string

// Config returns the configuration, which ends with a newline.
func (v Vhost) Config() ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("virtual host of site %q: %w", v.ID, err)
	}
	tmpl, err := template.New("vhost").Funcs(template.FuncMap{"quote": Quote}).Parse(source)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := tmpl.ExecuteTemplate(&b, "vhost", v); err != nil {
		return nil, fmt.Errorf("virtual host of site %q: %w", v.ID, err)
	}
	return b.Bytes(), nil
}

var (
	idPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
)

func (v Vhost) check() error {
	if !idPattern.MatchString(v.ID) {
		return errors.New("its id must be lower-case letters, digits and dashes")
	}
	if len(v.Names) == 0 {
		return errors.New("it needs a host name")
	}
	for _, name := range v.Names {
		if len(name) > 253 || !namePattern.MatchString(name) {
			return fmt.Errorf("%q is not a host name in lower-case ASCII", name)
		}
	}
	switch v.Kind {
	case Static:
		return checkPath(v.Root)
	case PHP:
		return errors.Join(checkPath(v.Root), checkPath(v.Socket))
	case Proxy:
		if upstream, err := validate.Upstream("upstream", v.Upstream); err != nil || upstream != v.Upstream {
			return fmt.Errorf("%q is not an upstream in its normal form", v.Upstream)
		}
		return nil
	}
	return fmt.Errorf("unknown kind %q", v.Kind)
}

func checkPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsAny(p, " ;:{}") {
		return fmt.Errorf("%q is not a clean absolute path", p)
	}
	return nil
}
