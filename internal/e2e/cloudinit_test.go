package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

// The whole way with cloud-init, which does not put the given key back.
func TestFirstContactByCloudInit(t *testing.T) {
	t.Parallel()
	p := newMachines(t, func(c *nspawn.Config) { c.CloudInit = true })
	n := newNewcomer(t, p)
	n.finish(t, n.create(t), nil)
	n.renewed(t)
	n.machine.Inside(t, `cloud-init status --wait >/dev/null || [[ $? == 2 ]]`)
	require.Contains(t, n.userData(t), string(n.given), "it is still there to be read")

	reboot, err := n.Servers.Reboot(t.Context(), n.server.ID)
	n.finish(t, reboot, err)
	n.machine.Inside(t, `cloud-init status --wait >/dev/null || [[ $? == 2 ]]`)
	n.renewed(t)
	require.Contains(t, n.userData(t), string(n.given))
	n.machine.Inside(t, `nft list chain inet forge_metadata others`) // nor does anybody else read it
}

// userData is what the machine was told at its first boot.
func (n *newcomer) userData(t *testing.T) string {
	t.Helper()
	var said strings.Builder
	for line := range strings.Lines(n.machine.Inside(t, `cat /var/lib/cloud/instance/user-data.txt`)) {
		said.WriteString(strings.TrimPrefix(line, "    "))
	}
	return said.String()
}
