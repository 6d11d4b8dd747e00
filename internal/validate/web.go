package validate

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// MaxNoProxy is how many hosts a server can reach without its proxy.
const MaxNoProxy = 100

var (
	webForm = regexp.MustCompile(`^([A-Za-z]+)://([^/]*@)?(\[[0-9A-Fa-f:.]+\]|[^/@:\[\]]+)(:[0-9]{1,5})?(/.*)?$`)
	// webPath is what needs no quotes in a shell script, a configuration of apt
	// or a replacement of sed and awk.
	webPath = regexp.MustCompile(`^(/[A-Za-z0-9._~+-]+)*$`)
)

// ProxyURL checks the address of a proxy: http or https, a host and perhaps a
// port. Credentials are refused, as every user of the server could read them.
func ProxyURL(field, value string) (string, error) {
	url, path, err := webURL(field, value)
	if err == nil && path != "" {
		return "", hidden(field, "must have no path")
	}
	return url, err
}

// MirrorURL checks the address of a mirror of packages: http or https, a host,
// perhaps a port, and a path, with no slash last in its normal form.
func MirrorURL(field, value string) (string, error) {
	url, path, err := webURL(field, value)
	return url + path, err
}

// webURL never shows the value, which may hold a password.
func webURL(field, value string) (url, path string, err error) {
	refuse := func(rule string, args ...any) (string, string, error) { return "", "", hidden(field, rule, args...) }
	const form = "must begin with http:// or https:// and have a host"
	switch {
	case value == "":
		return refuse(required)
	case len(value) > maxURL:
		return refuse("must have at most %d characters", maxURL)
	case strings.ContainsAny(value, "?#"):
		return refuse("must not have a query or a fragment")
	}
	m := webForm.FindStringSubmatch(value)
	if m == nil {
		return refuse(form)
	}
	scheme, login, host, port, path := strings.ToLower(m[1]), m[2], lower(m[3]), m[4], strings.TrimRight(m[5], "/")
	switch {
	case scheme != "http" && scheme != "https":
		return refuse(form)
	case login != "":
		return refuse("must not have credentials in it, as every user of the server could read them: " +
			"let the proxy or the mirror know the server by its address")
	case !webPath.MatchString(path), strings.Contains(path+"/", "/../"), strings.Contains(path+"/", "/./"):
		return refuse("must have a path of letters, digits and . _ ~ + -, without .. or empty parts")
	}
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if address.Is6() != strings.HasPrefix(host, "[") || address.Zone() != "" {
			return refuse("must have brackets around an IPv6 address, and no zone")
		}
	} else if hostRule(host) != "" {
		return refuse("must have a host name or an IP address as its host")
	}
	if port != "" {
		var n int
		if _, err := fmt.Sscanf(port, ":%d", &n); err != nil || n < 1 || n > 65535 {
			return refuse("must have a port between 1 and 65535")
		}
		port = fmt.Sprintf(":%d", n)
	}
	return scheme + "://" + host + port, path, nil
}

// NoProxy checks the hosts that are reached without a proxy: each a host name,
// a domain with a dot before it, an IP address or a network.
func NoProxy(field string, values []string) ([]string, error) {
	if len(values) > MaxNoProxy {
		return nil, hidden(field, "must be at most %d", MaxNoProxy)
	}
	var hosts []string
	for i, value := range values {
		host := lower(value)
		if !isNetwork(host) && hostRule(strings.TrimPrefix(host, ".")) != "" {
			return nil, broken(fmt.Sprintf("%s[%d]", field, i), value,
				"must be a host, a domain such as .example.com, an IP address or a network such as 10.0.0.0/8")
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// isNetwork reports whether a text is an IP address or a network.
func isNetwork(text string) bool {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Zone() == ""
	}
	_, err := netip.ParsePrefix(text)
	return err == nil
}
