package provider

import (
	"fmt"
	"slices"
)

// Options are what some clouds offer beyond a plain machine. A Create refuses
// with ErrInvalid what is not in its Properties.
type Options struct {
	// UserData is what cloud-init does on the first start besides what forge
	// needs: a "#cloud-config" document, a script that begins with "#!", or
	// anything else that cloud-init knows by its first line.
	UserData string
	// Backups has the provider back the machine up regularly.
	Backups bool
	// Monitoring installs the provider's own agent.
	Monitoring bool
	// Network is the provider's id of the private network that the machine is
	// in. Defaults to the provider's choice.
	Network string
	// Firewalls are the provider's ids of firewalls that apply from the start.
	Firewalls []string
	// IPv6Only leaves the public IPv4 address away.
	IPv6Only bool
}

// Offered says which of the Options a provider has.
type Offered struct {
	UserData, Backups, Monitoring, Network, Firewalls, IPv6Only bool
}

// check checks that only what is offered is asked for.
func (o Offered) check(asked Options) error {
	for _, option := range []struct {
		field          string
		asked, offered bool
	}{
		{"UserData", asked.UserData != "", o.UserData},
		{"Backups", asked.Backups, o.Backups},
		{"Monitoring", asked.Monitoring, o.Monitoring},
		{"Network", asked.Network != "", o.Network},
		{"Firewalls", len(asked.Firewalls) > 0, o.Firewalls},
		{"IPv6Only", asked.IPv6Only, o.IPv6Only},
	} {
		if option.asked && !option.offered {
			return fmt.Errorf("%w: %s must be left away, as the provider does not offer it", ErrInvalid, option.field)
		}
	}
	return nil
}

// Clone returns a copy that shares nothing with the options.
func (o Options) Clone() Options {
	o.Firewalls = slices.Clone(o.Firewalls)
	return o
}
