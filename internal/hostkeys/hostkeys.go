// Package hostkeys has a server make a host key of its own, in place of the one
// that it was given.
//
// Between the two commands the caller has to know the server by both keys: it may
// show either, whatever happens to it.
package hostkeys

import (
	"bytes"
	_ "embed"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

//go:embed renew.sh
var renew string

// Make returns the command that makes a new key beside the given one, if that was
// not done before. [Made] reads its output.
func Make(given ssh.PublicKey) sshexec.Command {
	return sshexec.Command{Script: renew, Args: []string{"make", line(given)}}
}

// Made is the new key, as the command of Make says.
func Made(stdout []byte) (ssh.PublicKey, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey(stdout)
	if err != nil || len(options) > 0 || len(bytes.TrimSpace(rest)) > 0 || key.Type() != ssh.KeyAlgoED25519 {
		return nil, errors.New("the server did not say what its new host key is")
	}
	return key, nil
}

// Use returns the command that puts the new key in the place of all others that
// the server has. Those who connect from then on are shown that one alone.
func Use(key ssh.PublicKey) sshexec.Command {
	return sshexec.Command{Script: renew, Args: []string{"use", line(key)}}
}

func line(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
