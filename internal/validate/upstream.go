package validate

import (
	"net/netip"
	"path"
	"regexp"
	"strings"
)

// maxSocket is the longest path that the address of a unix socket holds.
const maxSocket = 107

var socketPattern = regexp.MustCompile(`^(/[A-Za-z0-9._][A-Za-z0-9._-]*)+$`)

// Upstream checks where the program of a reverse proxy listens: an address of
// the loopback network with a port, or unix: and the path of a socket.
func Upstream(field, value string) (string, error) {
	if value == "" {
		return "", hidden(field, required)
	}
	if socket, ok := strings.CutPrefix(value, "unix:"); ok {
		if len(socket) > maxSocket || !socketPattern.MatchString(socket) || path.Clean(socket) != socket {
			return "", broken(field, value, "must have after unix: a clean absolute path of at most %d letters, digits, "+
				"dots, dashes, underscores and slashes", maxSocket)
		}
		for _, dir := range []string{"/run/php/", "/var/run/php/", "/proc/"} {
			if strings.HasPrefix(socket, dir) {
				return "", broken(field, value, "must not be a socket below %s", dir)
			}
		}
		return value, nil
	}
	addr, err := netip.ParseAddrPort(value)
	ip := addr.Addr().Unmap()
	switch {
	case err != nil || !ip.IsLoopback() || ip.Zone() != "" || addr.Port() == 0:
		return "", broken(field, value, `must be a loopback address with a port, such as "127.0.0.1:3000" or "[::1]:3000", `+
			`or a socket such as "unix:/run/app/web.sock"`)
	case addr.Port() == 80 || addr.Port() == 443:
		return "", broken(field, value, "must not be a port of nginx itself")
	}
	return netip.AddrPortFrom(ip, addr.Port()).String(), nil
}

// UpstreamOf checks an upstream for a site of user: nginx is let in to every
// home, and must not lead from one site to the program of another.
func UpstreamOf(user, field, value string) (string, error) {
	upstream, err := Upstream(field, value)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(upstream, "unix:/home/") && !strings.HasPrefix(upstream, "unix:/home/"+user+"/") {
		return "", broken(field, value, "must not be a socket in the home of another user than the site's")
	}
	return upstream, nil
}
