package nspawn

import (
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// subnets are tried in this order where Config.Subnet is not set. They are
// seldom used ranges of the private networks.
func subnets() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.213.0.0/16"),
		netip.MustParsePrefix("172.27.0.0/16"),
		netip.MustParsePrefix("192.168.213.0/24"),
		netip.MustParsePrefix("100.117.0.0/16"),
	}
}

// freeNetwork returns a /30 network that no route or name server of the host
// and no machine of Dir uses. The caller holds hostLock.
func (p *Provider) freeNetwork(ctx context.Context) (netip.Prefix, error) {
	routes, err := hostRoutes(ctx)
	if err != nil {
		return netip.Prefix{}, err
	}
	foreign := nameServers()
	var taken []netip.Prefix
	for _, r := range routes {
		if net, ok := r.prefix(); ok && r.ours() {
			taken = append(taken, net)
		} else if ok {
			foreign = append(foreign, net)
		}
	}
	ids, err := p.ids()
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, id := range ids {
		if rec, err := p.load(id); err == nil {
			taken = append(taken, rec.Net)
		}
	}
	if p.cfg.Subnet.IsValid() {
		return firstFree(p.cfg.Subnet, append(taken, foreign...))
	}
	for _, subnet := range subnets() {
		if !slices.ContainsFunc(foreign, subnet.Overlaps) {
			return firstFree(subnet, taken)
		}
	}
	return netip.Prefix{}, errSubnetFull
}

// firstFree returns the first /30 network of subnet that overlaps none taken.
func firstFree(subnet netip.Prefix, taken []netip.Prefix) (netip.Prefix, error) {
	first := binary.BigEndian.Uint32(subnet.Addr().AsSlice())
	for i := range uint32(1) << (30 - subnet.Bits()) {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], first+4*i)
		net := netip.PrefixFrom(netip.AddrFrom4(addr), 30)
		if !slices.ContainsFunc(taken, net.Overlaps) {
			return net, nil
		}
	}
	return netip.Prefix{}, errSubnetFull
}

// resolvConf returns the name servers that machines can use: where
// systemd-resolved answers on loopback, those that it asks.
func resolvConf() []byte {
	conf, err := os.ReadFile("/run/systemd/resolve/resolv.conf")
	if err != nil {
		conf, _ = os.ReadFile("/etc/resolv.conf")
	}
	return conf
}

// nameServers are reached through the default route, which a machine's network
// must not hide.
func nameServers() []netip.Prefix {
	var servers []netip.Prefix
	for line := range strings.Lines(string(resolvConf())) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			if addr, err := netip.ParseAddr(f[1]); err == nil {
				servers = append(servers, netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	return servers
}
