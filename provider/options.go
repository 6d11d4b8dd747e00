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

// Check checks that only what is offered is asked for. Its error is an
// *OptionError.
func (o Offered) Check(asked Options) error {
	for _, option := range []struct {
		name           string
		asked, offered bool
	}{
		{"user_data", asked.UserData != "", o.UserData},
		{"backups", asked.Backups, o.Backups},
		{"monitoring", asked.Monitoring, o.Monitoring},
		{"network", asked.Network != "", o.Network},
		{"firewalls", len(asked.Firewalls) > 0, o.Firewalls},
		{"ipv6_only", asked.IPv6Only, o.IPv6Only},
	} {
		if option.asked && !option.offered {
			return &OptionError{option.name}
		}
	}
	return nil
}

// OptionError says that a provider does not have an option. It wraps ErrInvalid.
type OptionError struct {
	Option string // as "ipv6_only"
}

// Rule says what to do about it.
func (e *OptionError) Rule() string { return "must be left away, as the provider does not offer it" }

func (e *OptionError) Error() string {
	return fmt.Sprintf("%v: %s %s", ErrInvalid, e.Option, e.Rule())
}

func (e *OptionError) Unwrap() error { return ErrInvalid }

// Clone returns a copy that shares nothing with the options.
func (o Options) Clone() Options {
	o.Firewalls = slices.Clone(o.Firewalls)
	return o
}
