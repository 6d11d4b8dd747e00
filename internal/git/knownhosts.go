package git

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"

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
	for rest := []byte(extra); ; {
		marker, hosts, key, _, next, err := ssh.ParseKnownHosts(rest)
		if errors.Is(err, io.EOF) {
			return b.Bytes(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("known hosts: %w", err)
		}
		if marker != "" {
			return nil, fmt.Errorf("known hosts: the marker @%s is not supported", marker)
		}
		fmt.Fprintln(b, knownhosts.Line(hosts, key))
		rest = next
	}
}
