package nspawn

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirstFreeNetwork(t *testing.T) {
	t.Parallel()
	subnet := netip.MustParsePrefix("10.9.0.0/29")
	first, err := firstFree(subnet, nil)
	require.NoError(t, err)
	require.Equal(t, "10.9.0.0/30", first.String())
	second, err := firstFree(subnet, []netip.Prefix{first})
	require.NoError(t, err)
	require.Equal(t, "10.9.0.4/30", second.String())
	_, err = firstFree(subnet, []netip.Prefix{first, second})
	require.ErrorIs(t, err, errSubnetFull)

	// One address of the host is enough, and so is a route to all of them.
	net, err := firstFree(subnet, []netip.Prefix{netip.MustParsePrefix("10.9.0.3/32")})
	require.NoError(t, err)
	require.Equal(t, "10.9.0.4/30", net.String())
	_, err = firstFree(subnet, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	require.ErrorIs(t, err, errSubnetFull)
}

func TestRoutePrefix(t *testing.T) {
	t.Parallel()
	for dst, want := range map[string]string{"10.0.0.0/8": "10.0.0.0/8", "192.0.2.1": "192.0.2.1/32"} {
		net, ok := route{Dst: dst}.prefix()
		require.True(t, ok)
		require.Equal(t, want, net.String())
	}
	_, ok := route{Dst: "default"}.prefix()
	require.False(t, ok)
}

func TestOutdatedImagesAreRemoved(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Dir: t.TempDir()})
	require.NoError(t, err)
	dirs := map[string]string{}
	for _, name := range []string{"debian-12-new", "debian-12-old", "debian-12-used", "debian-13-old", "cloud-debian-12-old"} {
		dirs[name] = filepath.Join(p.cfg.Dir, "images", name)
		require.NoError(t, os.MkdirAll(filepath.Join(dirs[name], "etc"), 0o755))
	}
	require.NoError(t, p.save("fm-aaaaaaaaaaaa", &record{Lower: "/layer:" + dirs["debian-12-used"]}))
	require.NoError(t, p.removeOutdated("debian-12", dirs["debian-12-new"]))
	require.NoDirExists(t, dirs["debian-12-old"])
	require.DirExists(t, dirs["debian-12-new"])
	require.DirExists(t, dirs["debian-12-used"])
	require.DirExists(t, dirs["debian-13-old"])
	require.DirExists(t, dirs["cloud-debian-12-old"])
}
