package forge

import (
	"errors"
	"maps"
	"reflect"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/provider"
)

// ServerOpts are the options of Servers.Create.
type ServerOpts struct {
	Name     string // host name, by RFC 1123
	Provider string // a name in Config.Providers
	Region   string // as the provider names it. Defaults to its choice.
	Size     string // as the provider names it. Defaults to its choice.
	Image    string // distribution and version. Defaults to "debian-12".
	Stack    Stack
	// Bare makes a server on which nothing is installed, so that Stack must be
	// empty: forge decides who logs in, in the ~/.ssh/authorized_keys of each unix
	// user, runs commands as any of them, and rotates its control key. There are
	// no sites. The machine needs bash, perl and sshd; systemd it need not have.
	Bare   bool
	Labels map[string]string
	// Options are what the provider does beyond a plain machine. Which there are
	// is in its Properties.
	Options provider.Options
	// IdempotencyKey makes a repeated call return what the first one made. It
	// is unique for an owner.
	IdempotencyKey string

	// Address, Port and User say how a machine is reached that exists already.
	// Port defaults to 22, User to root.
	Address string
	Port    int
	User    string
}

// Validate checks the options as Create does, but for what only the provider
// knows. Its error is of class ErrInvalid and names the field and the rule.
func (o ServerOpts) Validate() error {
	_, err := o.server()
	return err
}

// server makes the record that the options describe.
func (o ServerOpts) server() (*Server, error) {
	var v values
	srv := &Server{
		Provider:       o.Provider,
		Name:           v.text(validate.ServerName("name", o.Name)),
		Region:         v.optional("region", o.Region, validate.Token),
		Size:           v.optional("size", o.Size, validate.Token),
		Image:          v.optional("image", o.Image, validate.Token),
		Labels:         v.labels(o.Labels),
		IdempotencyKey: v.optional("idempotency_key", o.IdempotencyKey, validate.IdempotencyKey),
		Address:        v.optional("address", o.Address, validate.Address),
		Port:           o.Port,
		User:           o.User,
		Stack:          o.Stack.clone(),
		Options:        v.options(o.Options),
	}
	if srv.Image == "" {
		srv.Image = "debian-12"
	}
	if srv.Port == 0 {
		srv.Port = 22
	}
	if srv.User == "" {
		srv.User = "root"
	}
	_, err := validate.Port("port", srv.Port)
	v.text("", err)
	v.proxies(&srv.Stack)
	v.text(loginUser(srv.User))
	if srv.Bare = o.Bare; srv.Bare {
		if !reflect.ValueOf(o.Stack).IsZero() {
			v.fail("stack", "must be empty for a bare server, on which nothing is installed")
		}
		return srv, v.err
	}
	config := srv.stackConfig(false)
	config.ControlKey = anyKey
	v.text("", config.Validate())
	return srv, v.err
}

// anyKey stands for the control key, which is not made yet, where a stack is
// checked.
const anyKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// newServer makes the record of a server that the provider can make.
func (c *core) newServer(owner string, o ServerOpts) (*Server, provider.Provider, error) {
	srv, err := o.server()
	if err != nil {
		return nil, nil, err
	}
	p, err := c.provider(o.Provider)
	if err != nil {
		return nil, nil, err
	}
	existing := p.Properties().Existing
	switch {
	case existing && srv.Address == "":
		return nil, nil, invalid("address", "is required, as the provider %q makes no machines", o.Provider)
	case !existing && srv.Address != "":
		return nil, nil, invalid("address", "must be empty, as the provider %q makes the machine", o.Provider)
	}
	if err := asInvalid(p.Properties().Options.Check(srv.Options)); err != nil {
		return nil, nil, err
	}
	srv.ID, srv.Owner = newID(), owner
	return srv, p, nil
}

// stackConfig is the stack as its scripts want it.
func (s *Server) stackConfig(existing bool) stack.Config {
	return stack.Config{
		OS: s.Image, Source: stack.Source(s.Stack.Source),
		PHP: s.Stack.PHP, Database: string(s.Stack.Database), DatabaseVersion: s.Stack.DatabaseVersion,
		Redis: s.Stack.Redis, Composer: s.Stack.Composer, Supervisor: s.Stack.Supervisor, Node: s.Stack.Node,
		SwapMB: s.Stack.SwapMB, UnattendedUpgrades: s.Stack.UnattendedUpgrades, Timezone: s.Stack.Timezone,
		SSHPort: s.Port, ControlKey: s.controlLine(), LoginUser: s.User, KeepKeys: existing,
		Before: ownSteps(s.Stack.Before), After: ownSteps(s.Stack.After),
		HTTPProxy: s.Stack.HTTPProxy, NoProxy: s.Stack.NoProxy, AptProxy: s.Stack.AptProxy, AptMirror: s.Stack.AptMirror,
	}
}

func ownSteps(list []Step) []stack.Step {
	steps := make([]stack.Step, len(list))
	for i, s := range list {
		steps[i] = stack.Step(s)
	}
	return steps
}

// values collects the first error of many values.
type values struct{ err error }

func (v *values) text(value string, err error) string {
	if err != nil && v.err == nil {
		v.err = asInvalid(err)
	}
	return value
}

// options checks the form of a provider's options.
func (v *values) options(o provider.Options) provider.Options {
	o = o.Clone()
	o.UserData = v.optional("user_data", o.UserData, validate.UserData)
	o.Network = v.optional("network", o.Network, validate.Token)
	for i, id := range o.Firewalls {
		o.Firewalls[i] = v.text(validate.Token("firewalls", id))
	}
	return o
}

// proxies checks the addresses of proxies and mirrors, which are stored in their
// normal form.
func (v *values) proxies(s *Stack) {
	s.HTTPProxy = v.optional("http_proxy", s.HTTPProxy, validate.ProxyURL)
	s.AptProxy = v.optional("apt_proxy", s.AptProxy, validate.ProxyURL)
	s.AptMirror = v.optional("apt_mirror", s.AptMirror, validate.MirrorURL)
	hosts, err := validate.NoProxy("no_proxy", s.NoProxy)
	v.text("", err)
	s.NoProxy = hosts
}

// asInvalid is the error of a value in this package's terms.
func asInvalid(err error) error {
	var broken *validate.Error
	if errors.As(err, &broken) {
		return &Error{Class: ErrInvalid, Field: broken.Field, Rule: broken.Rule}
	}
	var option *provider.OptionError
	if errors.As(err, &option) {
		return &Error{Class: ErrInvalid, Field: option.Option, Rule: option.Rule()}
	}
	var offer *stack.FieldError
	if errors.As(err, &offer) {
		return &Error{Class: ErrInvalid, Field: offer.Field, Rule: offer.Rule}
	}
	return err
}

func (v *values) fail(field, rule string, args ...any) {
	v.text("", invalid(field, rule, args...))
}

// optional checks a value that may be empty.
func (v *values) optional(field, value string, check func(field, value string) (string, error)) string {
	if value == "" {
		return ""
	}
	return v.text(check(field, value))
}

func (v *values) labels(labels map[string]string) map[string]string {
	for key, value := range labels {
		v.text(validate.LabelKey("labels", key))
		v.text(validate.LabelValue("labels", value))
	}
	return maps.Clone(labels)
}
