package stack_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// The login goes back to the keys in the homes, and not where there are none.
func TestRemoveLogin(t *testing.T) {
	t.Parallel()
	m := start(t)
	c := bare(image())
	m.bash(t, `install -d /etc/ssh/authorized_keys.d /var/lib/forge/stack
		printf '%s\n%s\n' "$1" "$2" >/etc/ssh/authorized_keys.d/root
		echo 'AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u' >/etc/ssh/sshd_config.d/00-forge.conf
		printf '%s\n' /etc/ssh/authorized_keys.d >/var/lib/forge/stack/made
		mv /root/.ssh/authorized_keys /root/.ssh/away; systemctl reload ssh`, m.key, controlKey)
	check, err := stack.CheckLogin(c)
	require.NoError(t, err)
	remove, err := stack.RemoveLogin(c, false)
	require.NoError(t, err)
	require.Contains(t, m.fails(t, "root", check), "nobody would get in")
	require.Contains(t, m.fails(t, "root", remove), "nobody would get in")
	m.bash(t, `[[ -e /etc/ssh/sshd_config.d/00-forge.conf ]]; mv /root/.ssh/away /root/.ssh/authorized_keys; echo "$1" >>/root/.ssh/authorized_keys`, controlKey)

	m.bash(t, check)
	m.bash(t, `[[ -e /etc/ssh/sshd_config.d/00-forge.conf && -e /etc/ssh/authorized_keys.d/root ]]`)
	m.bash(t, remove)
	m.bash(t, `[[ ! -e /etc/ssh/authorized_keys.d && ! -e /var/lib/forge && -z $(ls /etc/ssh/sshd_config.d) ]]`)
	require.NotContains(t, m.bash(t, `cat /root/.ssh/authorized_keys`), controlKey)
	again, err := sshexec.Dial(t.Context(), m.box.Target())
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
