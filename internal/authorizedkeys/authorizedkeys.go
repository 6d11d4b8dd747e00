// Package authorizedkeys adds public keys to a user of a server and removes
// them. Lines of others are left as they are, byte by byte; when the file
// cannot be read, nothing is changed.
package authorizedkeys

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Key is a public key of forge's.
type Key struct {
	ID   string // marks the line: lower-case letters, digits and dashes
	Line string // authorized_keys format; its comment is not used
}

// Change is a change of the keys that open a user's account. A key is known by
// its key material, not by its ID: Add leaves a key that is there already,
// and Remove removes each line with it.
type Change struct {
	User   string // unix user, which has to exist
	Add    []Key
	Remove []string // lines in authorized_keys format
	// Home chooses ~/.ssh/authorized_keys, which is changed as the user. By
	// default it is root's own /etc/ssh/authorized_keys.d/USER, which is for
	// servers whose sshd reads only that.
	Home bool
}

// ErrNoUser says that the server has no such user.
var ErrNoUser = errors.New("there is no such user on the server")

var (
	//go:embed edit.sh
	edit string
	//go:embed as_user.sh
	asUser string

	idPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	userPattern = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
)

// Command returns the command that makes the whole change in one rename.
// [Changed] reads its output and [Explain] its failure.
func (c Change) Command() (sshexec.Command, error) {
	if !userPattern.MatchString(c.User) {
		return sshexec.Command{}, fmt.Errorf("authorized keys: %q is not the name of a unix user", c.User)
	}
	var edits bytes.Buffer // may be larger than what the arguments of a command hold
	for _, line := range c.Remove {
		key, err := parse(line)
		if err != nil {
			return sshexec.Command{}, err
		}
		fmt.Fprintf(&edits, "remove %s\n", key)
	}
	for _, k := range c.Add {
		key, err := parse(k.Line)
		if err != nil {
			return sshexec.Command{}, err
		}
		if !idPattern.MatchString(k.ID) {
			return sshexec.Command{}, fmt.Errorf("authorized keys: id %q must be lower-case letters, digits and dashes", k.ID)
		}
		fmt.Fprintf(&edits, "add %s forge:%s\n", key, k.ID)
	}
	cmd := sshexec.Command{Script: edit, Args: []string{c.User, "root"}, Stdin: &edits}
	if c.Home {
		cmd.Script, cmd.Args = asUser, []string{c.User, edit}
	}
	return cmd, nil
}

// parse returns the kind and the base64 of a key.
func parse(line string) (string, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return "", fmt.Errorf("authorized keys: not a public key: %w", err)
	}
	if len(options) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return "", errors.New("authorized keys: a key must be one line without options")
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return "", errors.New("authorized keys: a certificate is not a key")
	}
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n"), nil
}

// Changed reports from the output of a Change's command whether the file was
// changed.
func Changed(stdout []byte) (bool, error) {
	switch strings.TrimSpace(string(stdout)) {
	case "changed":
		return true, nil
	case "unchanged":
		return false, nil
	}
	return false, errors.New("authorized keys: the server's answer is not understood")
}

// Explain adds to an *sshexec.ExitError of a Change's command which of this
// package's errors it is. It returns every other error as it is.
func Explain(err error) error {
	const noUser = 81 // of the scripts
	var exit *sshexec.ExitError
	if errors.As(err, &exit) && exit.ExitCode == noUser {
		return fmt.Errorf("%w: %w", ErrNoUser, err)
	}
	return err
}
