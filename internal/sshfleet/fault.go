package sshfleet

import (
	"context"
	"fmt"
	"os"
	"path"
	"sync"
)

// faultDir has the settings of sshd that faults change, one file for each, so
// that several can be at once.
const faultDir = "/run/sshd_config.d"

// Fault is a way for a host to be bad. It tells what it does.
type Fault string

// The faults. What changes the settings of sshd holds for new connections; those
// that there are end by Host.DropConnections.
const (
	// Silence stops every process of the host: TCP connects, and nothing answers,
	// neither on connections that there are.
	Silence Fault = "silent"
	// Unplug has the network swallow what is sent to the host.
	Unplug Fault = "unplugged"
	// Slow delays a login by two seconds: one for each time that a client speaks
	// of its key.
	Slow Fault = "slow"
	// Fill leaves no space on the disk; see the package on what is there.
	Fill Fault = "full"
	// ReadOnly has the disk be read and not written. It fails while a process has
	// a file of the disk open to write.
	ReadOnly Fault = "read-only"
	// RefuseSessions accepts a login and refuses every session.
	RefuseSessions Fault = "without sessions"
	// NewHostKey shows another host key.
	NewHostKey Fault = "with another host key"
	// Down refuses connections, and has ended those that there were.
	Down Fault = "down"
)

// Faults returns all faults.
func Faults() []Fault {
	return []Fault{Silence, Unplug, Slow, Fill, ReadOnly, RefuseSessions, NewHostKey, Down}
}

// Break brings the host into trouble. It is so when Break returns, until mend,
// which may be called more than once, and when the host has ended. Different
// faults can be at once, Silence as the last: a host that is silent cannot be
// told of others.
func (h *Host) Break(ctx context.Context, fault Fault) (mend func() error, err error) {
	if err := h.running(); err != nil {
		return nil, err
	}
	change, undo := h.trouble(fault)
	if change == nil {
		return nil, fmt.Errorf("sshfleet: there is no fault %q", fault)
	}
	mend = sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if h.ended() {
			return nil
		}
		return undo(ctx)
	})
	if err := change(ctx); err != nil {
		_ = mend() // of half of it; the error is about the whole
		return nil, err
	}
	return mend, nil
}

// trouble returns how a fault comes and goes. Both are nil for an unknown one.
func (h *Host) trouble(fault Fault) (change, undo func(context.Context) error) {
	inside := func(script string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := h.Run(ctx, script)
			return err
		}
	}
	switch fault {
	case Silence:
		return h.freeze, h.thaw
	case Unplug:
		// What comes in is dropped; the address stays, as sshd may have to bind it.
		rule := "ip rule %s pref 50 iif eth0 to " + h.Address.String() + " blackhole"
		return inside(fmt.Sprintf(rule, "add")), inside(fmt.Sprintf(rule, "delete"))
	case Fill:
		// A disk that is as small as what it holds is full, and takes no memory.
		return inside(`used=$(df --output=used --block-size=K /root)
mount -o "remount,size=${used//[!0-9]/}K" /root`),
			inside("mount -o remount,size=1g /root")
	case ReadOnly:
		return inside("mount -o remount,ro /root"), inside("mount -o remount,rw /root")
	case Slow:
		return h.setting("slow", `AuthorizedKeysFile none
AuthorizedKeysCommand /bin/sh -c 'sleep 1; cat "$1/.ssh/authorized_keys"' sh %h
AuthorizedKeysCommandUser root
`)
	case RefuseSessions:
		return h.setting("sessions", "MaxSessions 0\n")
	case NewHostKey:
		return h.otherKey()
	case Down:
		reload, undo := h.setting("port", "Port 1\n")
		return func(ctx context.Context) error {
			if err := reload(ctx); err != nil {
				return err
			}
			return h.DropConnections(ctx)
		}, undo
	}
	return nil, nil
}

func (h *Host) otherKey() (change, undo func(context.Context) error) {
	const name = "/run/other_host_key"
	set, undo := h.setting("key", "HostKey "+name+"\n")
	return func(ctx context.Context) error {
		_, key, err := newKey()
		if err != nil {
			return err
		}
		if err := os.WriteFile(h.path(name), key, 0o600); err != nil {
			return err
		}
		return set(ctx)
	}, undo
}

// setting has sshd reload with settings that go before its usual ones.
func (h *Host) setting(name, content string) (change, undo func(context.Context) error) {
	file := h.path(path.Join(faultDir, name+".conf"))
	return func(ctx context.Context) error {
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil { //nolint:gosec // as settings are
				return err
			}
			return h.Reload(ctx)
		}, func(ctx context.Context) error {
			if err := os.Remove(file); err != nil {
				return err
			}
			return h.Reload(ctx)
		}
}
