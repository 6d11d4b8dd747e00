package nspawn_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]nspawn.Config{
		"relative dir":        {Dir: "machines"},
		"dir with a colon":    {Dir: "/var/lib/a:b"},
		"dir with a comma":    {Dir: "/var/lib/a,b"},
		"dir with a newline":  {Dir: "/var/lib/a\nb"},
		"too small a subnet":  {Subnet: netip.MustParsePrefix("10.9.0.0/30")},
		"subnet with host":    {Subnet: netip.MustParsePrefix("10.9.0.1/24")},
		"IPv6 subnet":         {Subnet: netip.MustParsePrefix("fd00::/64")},
		"unknown mirror":      {Mirrors: map[string]string{"fedora": "http://mirror.test/fedora"}},
		"mirror of a file":    {Mirrors: map[string]string{"debian": "file:///srv/debian"}},
		"mirror with options": {Mirrors: map[string]string{"debian": "http://mirror.test/debian [trusted=yes]"}},
		"relative image":      {Images: map[string]string{"mine": "image"}},
		"too small a disk":    {DiskMiB: 1},
		"image with options":  {Images: map[string]string{"mine": "/image,upperdir=/"}},
	} {
		_, err := nspawn.New(cfg)
		require.ErrorIs(t, err, provider.ErrInvalid, name)
	}
}

func TestValidateNamesWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	p, err := nspawn.New(nspawn.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	err = p.Validate(t.Context())
	require.ErrorIs(t, err, provider.ErrMissing)
	require.ErrorContains(t, err, "apt-get install mmdebstrap systemd-container nftables iproute2")
}

func TestImages(t *testing.T) {
	t.Parallel()
	newProvider(t) // skips
	p, err := nspawn.New(nspawn.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	spec := newSpec(t, "id")
	spec.Image = "ubuntu-24.04"
	_, err = p.Create(t.Context(), spec)
	require.ErrorIs(t, err, provider.ErrInvalid)
	require.ErrorContains(t, err, `Config.Mirrors["ubuntu"]`)
	spec.Image = "plan9"
	_, err = p.Create(t.Context(), spec)
	require.ErrorIs(t, err, provider.ErrInvalid)
	require.ErrorContains(t, err, "debian-12, debian-13, ubuntu-22.04, ubuntu-24.04")
}
