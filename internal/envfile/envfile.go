// Package envfile writes the environment file of a site, as the site's user.
package envfile

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"strconv"

	"github.com/seed-797f2c2c/forge/internal/dotenv"
	"github.com/seed-797f2c2c/forge/sshexec"
)

//go:embed write.sh
var write string

// Write returns the command that replaces the file .env of a directory in one
// rename, and removes it where there are no variables. The content travels on
// standard input alone.
func Write(user, dir string, vars []dotenv.Var) (sshexec.Command, error) {
	if user == "" || user == "root" {
		return sshexec.Command{}, fmt.Errorf("environment: %q must not write it", user)
	}
	if !path.IsAbs(dir) || path.Clean(dir) != dir {
		return sshexec.Command{}, fmt.Errorf("environment: %q is not a clean absolute path", dir)
	}
	var content []byte
	if len(vars) > 0 {
		var err error
		if content, err = dotenv.Marshal(vars); err != nil {
			return sshexec.Command{}, err
		}
	}
	return sshexec.Command{
		User: user, Script: write, Args: []string{dir, strconv.Itoa(len(content))}, Stdin: bytes.NewReader(content),
	}, nil
}
