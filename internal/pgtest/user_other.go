//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
)

func unprivileged(*exec.Cmd) error {
	return errors.New("no private PostgreSQL on this system: name a server in FORGE_TEST_POSTGRES_URL")
}
