package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

// cloudMetadata is a stand-in for the metadata server of a cloud: a neighbour of the
// machine's that answers at the addresses that clouds use.
const cloudMetadata = `ip netns add metadata
ip link add metadata0 type veth peer name eth0 netns metadata
ip address add 169.254.169.253/30 dev metadata0
ip address add fd00:ec2::253/64 dev metadata0 nodad
ip link set metadata0 up
ip -n metadata link set lo up
ip -n metadata address add 169.254.169.254/30 dev eth0
ip -n metadata address add fd00:ec2::254/64 dev eth0 nodad
ip -n metadata link set eth0 up
cat >/run/metadata.conf <<'END'
pid /run/metadata.pid;
error_log /dev/null;
events {}
http {
	access_log /run/metadata.log;
	server {
		listen 80; listen [::]:80;
		return 200 credentials;
	}
}
END
ip netns exec metadata nginx -c /run/metadata.conf`

const noMetadata = `kill "$(</run/metadata.pid)"; rm -f /run/metadata.*
ip netns delete metadata`

// asksMetadata prints what each address says, or that it refuses.
const asksMetadata = `for host in 169.254.169.254 '[::ffff:169.254.169.254]' '[fd00:ec2::254]'; do
	{ curl -gsS --max-time 5 "http://$host/latest/" 2>&1 || true; } | sed 's/.*Failed to connect.*/refused/; s/$/;/'
done | tr -d '\n'`

// The user data, with the host key that the machine was given, and whatever
// credentials a cloud gives to a machine are root's alone.
func TestSiteUsersDoNotReachTheMetadata(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	m, err := e.machines.Get(t.Context(), srv.ProviderID)
	require.NoError(t, err)
	box := testmachine.Of(m)
	box.Inside(t, cloudMetadata)
	t.Cleanup(func() { box.Inside(t, noMetadata) })
	const all, none = "credentials;credentials;credentials;", "refused;refused;refused;"
	require.Equal(t, all, e.bash(t, srv, asksMetadata))
	count := func() string { return box.Inside(t, `wc -l </run/metadata.log`) }
	asked := count()

	s := newGitSite(t, e, srv, forge.SiteOpts{DeployScript: "cd {{SITE_PATH}}\n git fetch -q origin {{BRANCH}}; git reset -q --hard FETCH_HEAD\n" + asksMetadata + "; echo"})
	require.Equal(t, none, e.bashAs(t, srv, s.User, asksMetadata))
	require.Equal(t, none, e.bashAs(t, srv, "forge", asksMetadata))
	require.Equal(t, none, e.bash(t, srv, `runuser -u www-data -- bash -c "$1"`, asksMetadata))
	action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: s.User, Command: asksMetadata + "; echo"})
	e.finish(t, action, err)
	require.Equal(t, []string{none}, e.lines(t, action.ID, forge.LineOutput), "of a run")
	s.commit(t, "public/index.php", `<?php foreach (["169.254.169.254", "[fd00:ec2::254]"] as $host) { echo @file_get_contents("http://$host/") ?: "nothing;"; }`)
	d := s.deploy(t)
	require.Contains(t, e.lines(t, d.Action, forge.LineOutput), none, "of a deployment")
	require.Equal(t, "nothing;nothing;", get(t, srv, s.Domain, "/").body, "of a page")
	require.Equal(t, asked, count())
	require.Equal(t, all, e.bash(t, srv, asksMetadata), "it is still there")
}
