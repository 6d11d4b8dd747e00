package stack_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// login opens a session of the user forge's own.
func (m *machine) login(t *testing.T) *machine {
	t.Helper()
	m.bash(t, `echo "$1" >/etc/ssh/authorized_keys.d/forge`, m.key)
	target := m.box.Target()
	target.User = "forge"
	client, err := sshexec.Dial(t.Context(), target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return &machine{Client: client}
}

// testLinger shows that a user cannot ask for more than a session, also where
// polkit is there to ask.
func testLinger(t *testing.T, m *machine) {
	m.bash(t, `export DEBIAN_FRONTEND=noninteractive; apt-get -qq -y install --no-install-recommends polkitd >/dev/null
		systemctl reload dbus; systemctl restart polkit`)
	require.Contains(t, m.login(t).fails(t, "forge", `loginctl enable-linger`), "Access denied")
}

// left prints how many processes of a user have a command line, and ended waits
// until there are none.
const (
	left  = `pgrep --count --uid "$1" --full --exact "$2" || true`
	ended = `for ((n = 0; n < 100; n++)); do pgrep --uid "$1" --full --exact "$2" >/dev/null || exit 0; sleep 0.1; done; exit 1`
)

// testLogout shows that what a user leaves in the background ends with the
// logout, and that nothing of root's does.
func testLogout(t *testing.T, m *machine) {
	user := m.login(t)
	user.bashAs(t, "forge", `nohup setsid -f bash -c 'exec -a left-behind sleep 600' >/dev/null 2>&1 </dev/null`)
	m.bash(t, `setsid -f bash -c 'exec -a left-by-root sleep 601' >/dev/null 2>&1 </dev/null`)
	require.Equal(t, "1\n", m.bash(t, left, "forge", "left-behind 600"))
	require.NoError(t, user.Close())
	m.bash(t, ended, "forge", "left-behind 600")

	other, err := sshexec.Dial(t.Context(), m.box.Target())
	require.NoError(t, err)
	root := &machine{Client: other}
	root.bash(t, `setsid -f bash -c 'exec -a left-by-other sleep 602' >/dev/null 2>&1 </dev/null; echo "$XDG_SESSION_ID" >/run/forge/session`)
	require.NoError(t, other.Close())
	m.bash(t, `session=$(</run/forge/session); rm /run/forge/session; [[ $session ]]
		while [[ $(loginctl show-session --property=State --value "$session" 2>/dev/null) == active ]]; do sleep 0.05; done`)
	require.Equal(t, "2\n", m.bash(t, left, "root", "left-by-.*"))
	m.bash(t, `pkill --uid root --full --exact "left-by-.*"`)
}

// testRunOutlivesLogout shows that a detached run as a user is no part of any
// session.
func testRunOutlivesLogout(t *testing.T, m *machine) {
	spec := sshexec.RunSpec{ID: "outlives", User: "forge", Dir: "/home/forge", Script: []byte(`
		echo began
		until [[ -e go ]]; do sleep 0.05; done
		echo lived on`)}
	starter, err := sshexec.Dial(t.Context(), m.box.Target())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = starter.Attach(ctx, spec, 0, &follower{watch: []trigger{{"began", cancel}}})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, starter.Close())

	user := m.login(t)
	user.bashAs(t, "forge", `setsid -f sleep 603 >/dev/null 2>&1 </dev/null`)
	require.NoError(t, user.Close())
	m.bash(t, ended, "forge", "sleep 603")

	m.bash(t, `: >/home/forge/go`)
	log := &follower{}
	status, err := m.Attach(t.Context(), spec, 0, log)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunExited, status.State)
	require.Zero(t, status.ExitCode)
	require.Equal(t, "began\nlived on\n", log.String())
}
