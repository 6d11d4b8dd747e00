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
	const oldKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILKX/A5eeqWbAzHtBTAGhwyMIIhgFHFvRbQR9GcyeLp7"
	check, err := stack.CheckLogin(c, oldKey)
	require.NoError(t, err)
	remove, err := stack.RemoveLogin(c, false, oldKey)
	require.NoError(t, err)
	require.Contains(t, m.fails(t, "root", check), "nobody would get in")
	require.Contains(t, m.fails(t, "root", remove), "nobody would get in")
	for _, useless := range []string{ // keys that let nobody in who could do anything
		`printf 'command="echo no" %s\n' "$1" >/root/.ssh/authorized_keys`,
		`ln -sf /dev/zero /root/.ssh/authorized_keys`,
		`rm /root/.ssh/authorized_keys; useradd -m -s /bin/bash visitor; install -d -o visitor /home/visitor/.ssh
			printf '%s\n' "$1" >/home/visitor/.ssh/authorized_keys`,
		`usermod -aG sudo visitor; install -d /etc/forge/sites/1; echo 'user visitor' >/etc/forge/sites/1/made`,
		`printf '%s\n' "$1" >/root/.ssh/authorized_keys; echo 'PermitRootLogin no' >/etc/ssh/sshd_config.d/10-own.conf`,
	} {
		m.bash(t, useless, m.key)
		require.Contains(t, m.fails(t, "root", check), "nobody would get in", useless)
	}
	m.bash(t, `rm /etc/forge/sites/1/made`)
	m.bash(t, check) // an administrator gets in
	m.bash(t, `rm /etc/ssh/sshd_config.d/10-own.conf; userdel -r visitor 2>/dev/null`)
	m.bash(t, `[[ -e /etc/ssh/sshd_config.d/00-forge.conf ]]; mv /root/.ssh/away /root/.ssh/authorized_keys; printf '%s\n' "$@" >>/root/.ssh/authorized_keys`, controlKey, oldKey+" before")

	m.bash(t, check)
	m.bash(t, `[[ -e /etc/ssh/sshd_config.d/00-forge.conf && -e /etc/ssh/authorized_keys.d/root ]]`)
	m.bash(t, `ln -s /dev/full /root/.ssh/authorized_keys.forge-new`)
	m.fails(t, "root", remove) // the disk is full: the keys stay
	m.bash(t, `[[ -f /root/.ssh/authorized_keys && ! -L /root/.ssh/authorized_keys ]] && grep -qF -- "$1" /root/.ssh/authorized_keys`, m.key)
	m.bash(t, remove)
	m.bash(t, `[[ ! -e /etc/ssh/authorized_keys.d && ! -e /var/lib/forge && -z $(ls /etc/ssh/sshd_config.d) ]]`)
	left := m.bash(t, `cat /root/.ssh/authorized_keys`)
	require.NotContains(t, left, controlKey)
	require.NotContains(t, left, oldKey)
	again, err := sshexec.Dial(t.Context(), m.box.Target())
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
