package cloud_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestOnly(t *testing.T) {
	t.Parallel()
	a, b := new("a"), new("b")
	id := func(s *string) string { return *s }

	none, err := cloud.Only("servers", "s1", nil, id)
	require.NoError(t, err)
	require.Nil(t, none)

	one, err := cloud.Only("servers", "s1", []*string{b}, id)
	require.NoError(t, err)
	require.Same(t, b, one)

	for _, found := range [][]*string{{a, b}, {b, a}} {
		one, err = cloud.Only("servers", "s1", found, id)
		require.ErrorIs(t, err, provider.ErrConflict)
		require.ErrorContains(t, err, "servers a, b all bear the id s1: delete all but one")
		require.Nil(t, one, "none of them is taken for it")
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	var none netip.Addr
	v4, v6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	require.Empty(t, cloud.Address(none, none))
	require.Equal(t, "192.0.2.7", cloud.Address(v4, v6))
	require.Equal(t, "2001:db8::7", cloud.Address(none, v6))
}
