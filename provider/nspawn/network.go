package nspawn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
)

// hostLock is held while a machine takes its addresses, so that programs with
// another Dir take others.
const hostLock = "/run/forge-nspawn.lock"

// Of a machine's /30 network the first address is the host's.
func gateway(net netip.Prefix) netip.Addr { return net.Addr().Next() }
func guest(net netip.Prefix) netip.Addr   { return net.Addr().Next().Next() }

func netnsPath(id string) string { return "/run/netns/" + id }

// connect makes the machine's network namespace, with an address, a route to
// the host and the way out. The routes it makes on the host are what keeps its
// network from being given to another.
func connect(ctx context.Context, id string, net netip.Prefix) error {
	mtu, err := uplinkMTU(ctx)
	if err != nil {
		return err
	}
	if _, err := run(ctx, "", "ip", "netns", "add", id); err != nil {
		return err
	}
	host := fmt.Sprintf(`link add %[1]s mtu %[2]d type veth peer name eth0 mtu %[2]d netns %[1]s
addr add %[3]s/30 dev %[1]s
link set %[1]s up
`, id, mtu, gateway(net))
	if _, err := run(ctx, host, "ip", "-batch", "-"); err != nil {
		return err
	}
	inside := fmt.Sprintf(`link set lo up
addr add %s/30 dev eth0
link set eth0 up
route add default via %s
`, guest(net), gateway(net))
	if _, err := run(ctx, inside, "ip", "-n", id, "-batch", "-"); err != nil {
		return err
	}
	// A machine speaks for itself alone, and does not ask the cloud that this
	// host may be in for the host's credentials.
	rules := fmt.Sprintf(`table ip %[1]s {
	chain out {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %[2]s oifname != "fm-*" masquerade
	}
	chain from {
		type filter hook prerouting priority raw; policy accept;
		iifname "%[1]s" ip saddr != %[2]s drop
		iifname "%[1]s" ip daddr 169.254.0.0/16 drop
	}
}
`, id, guest(net))
	if _, err := run(ctx, rules, "nft", "-f", "-"); err != nil {
		return err
	}
	return forwardIPv4()
}

// disconnect removes whatever connect has made, in the reverse order.
func disconnect(ctx context.Context, id string) error {
	// Adding what exists is no error, and what does not can then be deleted.
	_, err := run(ctx, fmt.Sprintf("add table ip %[1]s\ndelete table ip %[1]s\n", id), "nft", "-f", "-")
	if exists("/sys/class/net/" + id) {
		_, e := run(ctx, "", "ip", "link", "delete", id)
		err = errors.Join(err, e)
	}
	if exists(netnsPath(id)) {
		_, e := run(ctx, "", "ip", "netns", "delete", id)
		err = errors.Join(err, e)
	}
	return err
}

func forwardIPv4() error {
	const setting = "/proc/sys/net/ipv4/ip_forward"
	if now, err := os.ReadFile(setting); err == nil && strings.TrimSpace(string(now)) == "1" {
		return nil
	}
	return os.WriteFile(setting, []byte("1"), 0)
}

// uplinkMTU is what the way out lets pass.
func uplinkMTU(ctx context.Context) (int, error) {
	routes, err := hostRoutes(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range routes {
		if r.Dst != "default" || r.Dev == "" {
			continue
		}
		mtu, err := os.ReadFile(filepath.Join("/sys/class/net", r.Dev, "mtu"))
		if err != nil {
			continue
		}
		return strconv.Atoi(strings.TrimSpace(string(mtu)))
	}
	return 1500, nil // no way out
}

type route struct{ Dst, Dev string }

// hostRoutes returns all IPv4 routes, those to the host's own addresses too.
func hostRoutes(ctx context.Context) ([]route, error) {
	out, err := run(ctx, "", "ip", "-4", "-json", "route", "show", "table", "all")
	if err != nil {
		return nil, err
	}
	var routes []route
	if err := json.Unmarshal(out, &routes); err != nil {
		return nil, fmt.Errorf("ip route: %w", err)
	}
	return routes, nil
}

// prefix returns the network of a route; the default route has none.
func (r route) prefix() (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(r.Dst); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(r.Dst)
	return netip.PrefixFrom(a, a.BitLen()), err == nil
}

// ours reports whether the route belongs to a machine.
func (r route) ours() bool { return idFormat.MatchString(r.Dev) }

var errSubnetFull = fmt.Errorf("%w: no free network for another machine", provider.ErrCapacity)
