package nspawn_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

// settled waits until cloud-init has done all, without complaints, and returns what
// it says of itself.
func settled(t *testing.T, m *testmachine.Machine) {
	t.Helper()
	out := m.Must(t, "cloud-init status --wait --format=json || true")
	var status struct {
		Status   string
		Errors   []string
		Warnings map[string][]string `json:"recoverable_errors"` // of newer ones, as for a schema that does not fit
	}
	require.NoError(t, json.Unmarshal([]byte(out), &status), out)
	require.Equal(t, "done", status.Status, out)
	require.Empty(t, status.Errors)
	require.Empty(t, status.Warnings)
	require.Equal(t, "running\n", m.Must(t, "systemctl is-system-running --wait"))
}

// The key that was injected is the only one from the first packet on, and stays so.
func TestCloudInitInjectsTheHostKey(t *testing.T) {
	t.Parallel()
	m := testmachine.NewCloud(t, "") // which trusts that key alone
	settled(t, m)
	require.Equal(t, "ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n", m.Must(t, "cd /etc/ssh; ls ssh_host_*"))
	require.Contains(t, m.Must(t, "cat /var/lib/cloud/instance/user-data.txt"), "OPENSSH PRIVATE KEY", "which is why forge replaces it")
	require.Equal(t, "127.0.1.1       machine\n", m.Must(t, "getent hosts machine"))
	require.Equal(t, "machine\n", m.Must(t, "hostname"))
	require.Equal(t, "1\n", m.Must(t, "grep -c . /root/.ssh/authorized_keys"))

	// On a later start it is not put in place again.
	m.Must(t, `cd /etc/ssh; cp ssh_host_ed25519_key /root/; echo kept >/root/kept
ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key <<<y >/dev/null
cp ssh_host_ed25519_key.pub /root/new.pub; mv /root/ssh_host_ed25519_key ssh_host_ed25519_key.old`)
	m.Restart(t)
	require.Equal(t, "kept\n", m.Inside(t, "cat /root/kept"))
	m.Inside(t, "cloud-init status --wait >/dev/null; cmp /root/new.pub /etc/ssh/ssh_host_ed25519_key.pub")
}

// An embedder's cloud-config is done as well, and where it says of host keys what
// forge says, forge's is what holds.
func TestCloudConfigIsMerged(t *testing.T) {
	t.Parallel()
	m := testmachine.NewCloud(t, `#cloud-config
users:
  - name: deploy
    groups: [adm]
    shell: /bin/bash
    ssh_authorized_keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFN1xaQLKEXx8R+A5c5oTQ0kUXtWUEDAPCH5yVXM4hLM müller']
disable_root: true
ssh_deletekeys: false
ssh_genkeytypes: [ecdsa, rsa]
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    of another machine
    -----END OPENSSH PRIVATE KEY-----
  rsa_public: ssh-rsa AAAA
packages: [tree]
write_files:
  - {path: /etc/motd, content: "Grüße aus 東京\n"}
runcmd:
  - [sh, -c, 'id -un >/root/ran']
`)
	settled(t, m)
	require.Equal(t, "ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n", m.Must(t, "cd /etc/ssh; ls ssh_host_*"))
	require.Equal(t, "Grüße aus 東京\n", m.Must(t, "cat /etc/motd"))
	require.Equal(t, "root\n", m.Must(t, "cat /root/ran"))
	require.Equal(t, "deploy adm\n", m.Must(t, "id -Gn deploy"))
	require.Contains(t, m.Must(t, "cat ~deploy/.ssh/authorized_keys"), "müller")
	m.Must(t, "tree --version >/dev/null")
}

// Anything that cloud-init knows by its first line may be the user data.
func TestUserDataRuns(t *testing.T) {
	t.Parallel()
	for name, userData := range map[string]string{
		"script": "#!/bin/sh\nprintf schön >/root/said\n",
		"message": "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=own\n\n" +
			"--own\nContent-Type: text/x-shellscript\n\n#!/bin/sh\nprintf n >>/root/said\n" +
			"--own\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n" +
			base64.StdEncoding.EncodeToString([]byte("#cloud-config\nbootcmd: ['printf schö >/root/said']\n")) + "\n--own--\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := testmachine.NewCloud(t, userData)
			settled(t, m)
			require.Equal(t, "schön", m.Must(t, "cat /root/said"))
			require.Equal(t, "ssh_host_ed25519_key\n", m.Must(t, "cd /etc/ssh; ls ssh_host_*key"))
		})
	}
}
