package stack

import (
	"cmp"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// ProxyEnv is the environment of a command that reaches the web by the config's
// proxy; it is empty without one.
func (c Config) ProxyEnv() map[string]string {
	if c.HTTPProxy == "" {
		return nil
	}
	env := map[string]string{"http_proxy": c.HTTPProxy, "https_proxy": c.HTTPProxy, "no_proxy": c.noProxy()}
	for name, value := range maps.Clone(env) {
		env[strings.ToUpper(name)] = value
	}
	return env
}

func (c Config) sortedProxyEnv() iter.Seq2[string, string] {
	env := c.ProxyEnv()
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(env)) {
			if !yield(name, env[name]) {
				return
			}
		}
	}
}

// noProxy has the server itself in it.
func (c Config) noProxy() string {
	return strings.Join(append([]string{"localhost", "127.0.0.1", "::1"}, c.NoProxy...), ",")
}

// proxies returns the steps by which the server learns its proxies and its
// mirror.
func (c Config) proxies() []step {
	var all []step
	if c.HTTPProxy != "" {
		var lines []string
		for name, value := range c.sortedProxyEnv() {
			lines = append(lines, name+"="+value)
		}
		all = append(all, step{name: "proxy", function: "proxy", variables: []variable{words("proxy_environment", lines)}})
	}
	if lines := c.aptProxy(); len(lines) > 0 {
		all = append(all, step{name: "proxy of packages", function: "apt_proxy", variables: []variable{words("apt_proxy", lines)}})
	}
	if c.AptMirror != "" {
		// Debian's own layout, which mirrors keep: the security archive beside.
		security := c.AptMirror
		if strings.HasPrefix(c.OS, "debian-") {
			security += "-security"
		}
		all = append(all, step{name: "mirror", function: "mirror", variables: []variable{
			word("codename", offers()[c.OS].codename), word("mirror", c.AptMirror), word("security_mirror", security),
		}})
	}
	return all
}

// aptProxy is the configuration of apt. Its no_proxy is one host a line: of
// domains and networks those of the mirror count.
func (c Config) aptProxy() []string {
	proxy := cmp.Or(c.AptProxy, c.HTTPProxy)
	if proxy == "" {
		return nil
	}
	direct := slices.Clone(c.NoProxy)
	if mirror, err := url.Parse(c.AptMirror); err == nil && mirror.Host != "" {
		uses := httpproxy.Config{HTTPProxy: proxy, HTTPSProxy: proxy, NoProxy: c.noProxy()}
		if by, err := uses.ProxyFunc()(mirror); err == nil && by == nil {
			direct = append(direct, mirror.Hostname())
		}
	}
	direct = slices.DeleteFunc(direct, func(host string) bool {
		return strings.HasPrefix(host, ".") || strings.ContainsAny(host, "/:")
	})
	lines := []string{"// Written by forge."}
	for _, scheme := range []string{"http", "https"} {
		lines = append(lines, `Acquire::`+scheme+`::Proxy "`+proxy+`";`)
		for _, host := range slices.Compact(slices.Sorted(slices.Values(direct))) {
			lines = append(lines, `Acquire::`+scheme+`::Proxy::`+host+` "DIRECT";`)
		}
	}
	return lines
}

// checkProxies wants the values in their normal form, or such that have one.
func (c Config) checkProxies() error {
	for _, url := range []struct {
		field, value string
		check        func(field, value string) (string, error)
	}{
		{"http_proxy", c.HTTPProxy, validate.ProxyURL},
		{"apt_proxy", c.AptProxy, validate.ProxyURL},
		{"apt_mirror", c.AptMirror, validate.MirrorURL},
	} {
		if url.value == "" {
			continue
		}
		if _, err := url.check(url.field, url.value); err != nil {
			return err
		}
	}
	if len(c.NoProxy) > 0 && c.HTTPProxy == "" && c.AptProxy == "" {
		return invalid("no_proxy", "needs a proxy")
	}
	_, err := validate.NoProxy("no_proxy", c.NoProxy)
	return err
}
