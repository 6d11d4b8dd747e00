package testmachine

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// LockApt holds the lock that apt and dpkg take before they change anything, as
// an upgrade by another would, until end.
func (m *Machine) LockApt(t testing.TB) (end func()) {
	t.Helper()
	leader, err := m.leader(t.Context())
	require.NoError(t, err)
	f, err := os.OpenFile("/proc/"+leader+"/root/var/lib/dpkg/lock-frontend", os.O_RDWR|os.O_CREATE, 0o640) //nolint:gosec // of a test
	require.NoError(t, err)
	end = m.undo(t, func() { require.NoError(t, f.Close()) })
	require.NoError(t, lockFile(f))
	return end
}

// ChangeHostKey has the machine show another host key than before to those who
// connect from now on, until end.
func (m *Machine) ChangeHostKey(t testing.TB) (end func()) {
	t.Helper()
	m.Inside(t, `cd /etc/ssh
mkdir old && mv ssh_host_* old/
ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key
systemctl reset-failed ssh
systemctl restart ssh`)
	end = m.undo(t, func() {
		m.Inside(t, `cd /etc/ssh
rm ssh_host_* && mv old/* . && rmdir old
systemctl reset-failed ssh
systemctl restart ssh`)
	})
	return end
}

// RestartSSHD restarts the machine's SSH server and ends every connection to it,
// as an upgrade can do. What ran in them runs on.
func (m *Machine) RestartSSHD(t testing.TB) {
	t.Helper()
	m.Inside(t, `systemctl reset-failed ssh
systemctl restart ssh
main=$(systemctl show --property=MainPID --value ssh)
for process in /proc/[0-9]*; do
	case $(cat "$process/comm" 2>/dev/null) in
	sshd | sshd-session) [[ $process == "/proc/$main" ]] || kill -KILL "${process#/proc/}" ;;
	esac
done`)
}

// Restart restarts the machine from within and returns when it comes up again,
// which is before SSH answers. That it goes down already is fine.
func (m *Machine) Restart(t testing.TB) {
	t.Helper()
	before, _ := m.leader(t.Context()) // none while it is down
	_, asked := m.TryInside(t.Context(), "systemctl --no-block reboot")
	err := m.retry(t.Context(), func(ctx context.Context) error {
		now, err := m.leader(ctx)
		if err == nil && now == before {
			err = errors.Join(errGoingDown, asked)
		}
		return err
	})
	require.NoError(t, err)
}
