package sshfleet

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
)

// A fleet's network is a /23 of 198.19.0.0/16, which is half of what is set
// aside for measurements and so is nobody's. Its first /30 is the link between
// this machine and the namespace.
const networkBits = 23

func linkHost(net netip.Prefix) netip.Addr  { return hostAddress(net, -3) }
func linkFleet(net netip.Prefix) netip.Addr { return hostAddress(net, -2) }

// hostAddress returns the address of the i-th host.
func hostAddress(net netip.Prefix, i int) netip.Addr {
	const link = 4
	var addr [4]byte
	binary.BigEndian.PutUint32(addr[:], binary.BigEndian.Uint32(net.Addr().AsSlice())+uint32(link+i)) //nolint:gosec // less than MaxHosts
	return netip.AddrFrom4(addr)
}

// connect makes a fleet's network namespace and a way there. The route is what
// keeps its network from being given to another.
func connect(ctx context.Context, name string) (netip.Prefix, error) {
	if _, err := ip(ctx, "", "netns", "add", name); err != nil {
		return netip.Prefix{}, err
	}
	unlock, err := lockDir(runDir)
	if err != nil {
		return netip.Prefix{}, err
	}
	defer unlock()
	net, err := freeNetwork(ctx)
	if err != nil {
		return netip.Prefix{}, err
	}
	outside := fmt.Sprintf(`link add %[1]s type veth peer name eth0 netns %[2]s
addr add %[3]s/30 dev %[1]s
link set %[1]s up
route add %[4]s via %[5]s dev %[1]s
`, link(name), name, linkHost(net), net, linkFleet(net))
	if _, err := ip(ctx, outside, "-batch", "-"); err != nil {
		return netip.Prefix{}, err
	}
	// All addresses of the network but the link's are the namespace's own by one
	// route. The rule that looks there is moved, so that others can come before it.
	inside := fmt.Sprintf(`link set lo up
addr add %[1]s/30 dev eth0
link set eth0 up
route add local %[2]s dev lo
route add throw %[3]s/30 table local
rule add pref 100 table local
rule delete pref 0
`, linkFleet(net), net, net.Addr())
	_, err = ip(ctx, inside, "-n", name, "-batch", "-")
	return net, err
}

// link is the network interface of this machine that leads to a fleet. Its name
// ends as the fleet's, since it has to be short.
func link(name string) string { return "ff-" + name[strings.LastIndexByte(name, '-')+1:] }

func freeNetwork(ctx context.Context) (netip.Prefix, error) {
	out, err := ip(ctx, "", "-4", "-json", "route", "show", "table", "all")
	if err != nil {
		return netip.Prefix{}, err
	}
	var routes []struct{ Dst string }
	if err := json.Unmarshal(out, &routes); err != nil {
		return netip.Prefix{}, fmt.Errorf("ip route: %w", err)
	}
	var taken []netip.Prefix
	for _, r := range routes { // the default route is no network
		if net, err := netip.ParsePrefix(r.Dst); err == nil {
			taken = append(taken, net)
		} else if addr, err := netip.ParseAddr(r.Dst); err == nil {
			taken = append(taken, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	for third := 0; third < 256; third += 2 {
		net := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, byte(third), 0}), networkBits)
		if !slices.ContainsFunc(taken, net.Overlaps) {
			return net, nil
		}
	}
	return netip.Prefix{}, errors.New("198.19.0.0/16 has no free network for another fleet")
}

// ip executes ip(8) and returns its output; its complaints are in the error.
func ip(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
