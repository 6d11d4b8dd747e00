package git

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

//go:embed known_hosts
var shipped string

// KnownHosts returns a known_hosts file with the keys of GitHub, GitLab and
// Bitbucket that ship with forge, and those in extra, which is in the same
// format. Lines of extra with a marker, as @cert-authority, are refused.
func KnownHosts(extra string) ([]byte, error) {
	b := bytes.NewBufferString(shipped)
	for line := range strings.Lines(extra) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("known hosts: %q is not a host with its key", line)
		}
		if marker != "" {
			return nil, fmt.Errorf("known hosts: the marker @%s is not supported", marker)
		}
		fmt.Fprintln(b, knownhosts.Line(hosts, key))
	}
	return b.Bytes(), nil
}
