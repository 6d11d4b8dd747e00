package stack_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestFirstBootIsSoundShell(t *testing.T) {
	t.Parallel()
	servertest.Shellcheck(t, stack.FirstBoot().Script)
}

func TestFirstBoot(t *testing.T) {
	t.Parallel()
	m := start(t)
	looks := func() (code int, says string) {
		t.Helper()
		result, err := m.Run(t.Context(), stack.FirstBoot())
		if exit := (*sshexec.ExitError)(nil); !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		return result.ExitCode, string(result.Stdout)
	}
	ended := func(want string) {
		t.Helper()
		code, says := looks()
		require.Zero(t, code)
		require.Equal(t, want, says)
	}
	runs := func() {
		t.Helper()
		code, _ := looks()
		require.Equal(t, stack.FirstBootRuns, code)
	}
	// A stand-in that says what a file says.
	is := func(status string) { m.bash(t, `echo "status: $1" >/run/cloud-init/is`, status) }
	ended("")
	m.bash(t, `mkdir /run/cloud-init
printf '#!/bin/sh\n%s\n' 'sleep "$(cat /run/cloud-init/hangs 2>/dev/null || echo 0)"; cat /run/cloud-init/is' >/usr/local/bin/cloud-init
chmod 0755 /usr/local/bin/cloud-init`)
	for _, status := range []string{"not run", "not started", "running"} {
		is(status)
		runs()
	}
	is("error")
	ended("cloud-init ended, and its state is \"error\": going on\n")

	is("running")
	m.bash(t, `echo 60 >/run/cloud-init/hangs`)
	runs()
	m.bash(t, `touch -d '4 minutes ago' /run/forge/first-boot`)
	m.bash(t, `rm /run/cloud-init/hangs`)
	runs()
	m.bash(t, `touch -d '301 seconds ago' /run/forge/first-boot`)
	ended("cloud-init has not ended in 300 s, and its state is \"running\": going on\n")
	m.bash(t, `touch /run/forge/first-boot`)
	runs()
	m.bash(t, `echo '{}' >/run/cloud-init/result.json`)
	ended("")
	m.bash(t, `rm /run/cloud-init/result.json; mkdir /etc/cloud; touch /etc/cloud/cloud-init.disabled`)
	ended("")
}
