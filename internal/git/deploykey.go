package git

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

//go:embed key.sh
var key string

var commentPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

// DeployKey returns the command that makes an ed25519 key at path as the
// user, where there is none yet. [ParseDeployKey] reads the public half from
// its output.
func DeployKey(user, path, comment string) (sshexec.Command, error) {
	switch {
	case !isUser(user):
		return sshexec.Command{}, fmt.Errorf("deploy key: %q must not have one", user)
	case !isPath(path):
		return sshexec.Command{}, fmt.Errorf("deploy key: %q is not a clean absolute path", path)
	case !commentPattern.MatchString(comment):
		return sshexec.Command{}, fmt.Errorf("deploy key: comment %q must be letters, digits and dashes", comment)
	}
	return sshexec.Command{User: user, Script: key, Args: []string{path, comment}}, nil
}

// ParseDeployKey returns the public half of the deploy key as a line in
// authorized_keys format, without a newline. The site's user could have printed
// anything, so all but an ed25519 key and a comment is refused.
func ParseDeployKey(stdout []byte) (string, error) {
	const most = 1024 // such a line has about 120 bytes
	if len(stdout) > most {
		return "", errors.New("deploy key: the server's answer is too long")
	}
	public, comment, options, rest, err := ssh.ParseAuthorizedKey(stdout)
	if err != nil || len(options) > 0 || len(rest) > 0 || public.Type() != ssh.KeyAlgoED25519 {
		return "", errors.New("deploy key: the server's answer is not an ed25519 key")
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(public)), "\n")
	if commentPattern.MatchString(comment) {
		line += " " + comment
	}
	return line, nil
}
