package forge

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// provision makes the machine of a server, or finds the one that was made
// before, and waits until it has an address.
func (c *core) provision(ctx context.Context, w *work) error {
	srv, p, err := w.machine(ctx)
	if err != nil {
		return err
	}
	var m *provider.Machine
	if srv.ProviderID == "" {
		m, err = c.createMachine(ctx, w, p, srv)
	} else {
		m, err = p.Get(ctx, srv.ProviderID)
	}
	if err != nil {
		return machineError(ctx, err)
	}
	switch m.Status {
	case provider.StatusActive:
	case provider.StatusError:
		return &failure{Failure{Reason: ReasonProvider, Message: "the provider gave up on the machine " + m.ID}}
	default:
		return &waiting{least: 5 * time.Second, most: 5 * time.Second, plain: true, why: fmt.Errorf("machine %s is %s", m.ID, m.Status)}
	}
	if m.Address == "" {
		if err := w.stage(ctx, "address"); err != nil {
			return err
		}
		return &waiting{least: 5 * time.Second, most: 5 * time.Second, plain: true, why: fmt.Errorf("machine %s has no address yet", m.ID)}
	}
	known, err := knownHostKeys(ctx, p, m)
	if err != nil {
		return err
	}
	w.done = func(t *txn) error {
		srv, err := t.Servers().Get(srv.ID)
		if err != nil {
			return err
		}
		srv.Address, srv.Port, srv.User = m.Address, m.Port, m.User
		srv.IPv4, srv.IPv6, srv.Private = address(m.IPv4), address(m.IPv6), address(m.Private)
		if len(srv.HostKeys) == 0 {
			srv.HostKeys = known
		}
		if srv.Status == ServerDeleting {
			err = t.Servers().Update(srv)
		} else {
			err = c.putServer(t, srv, ServerProvisioning, w.action.ID)
		}
		if err != nil {
			return err
		}
		return c.insert(t, &Action{Owner: srv.Owner, Actor: w.action.Actor, Kind: KindInstallStack, Parent: w.action.Parent,
			Subject: w.action.Subject, Server: srv.ID, Locks: w.action.Locks})
	}
	return nil
}

// machine reads the action's server and finds its provider.
func (w *work) machine(ctx context.Context) (*Server, provider.Provider, error) {
	srv, err := w.server(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := w.provider(srv.Provider)
	return srv, p, err
}

// createMachine asks the provider for the machine and remembers the provider's
// id before anything else happens.
func (c *core) createMachine(ctx context.Context, w *work, p provider.Provider, srv *Server) (*provider.Machine, error) {
	if err := w.stage(ctx, "create"); err != nil {
		return nil, err
	}
	if err := w.say(ctx, "creating the machine at "+srv.Provider); err != nil {
		return nil, err
	}
	spec := provider.Spec{
		ID: srv.ID, Name: srv.Name, Region: srv.Region, Size: srv.Size, Image: srv.Image,
		AuthorizedKey: srv.PublicKey, Labels: srv.Labels,
		Options: srv.Options.Clone(),
		Address: srv.Address, Port: srv.Port, User: srv.User,
	}
	data, err := c.unseal(ctx, srv, "user data", srv.UserData, userDataPlace(srv.ID))
	if err != nil {
		return nil, err
	}
	key, err := c.unseal(ctx, srv, "host key", srv.InjectedHostKey, hostKeyPlace(srv.ID))
	if err != nil {
		return nil, err
	}
	spec.UserData, spec.HostKey = data.Reveal(), []byte(key.Reveal())
	m, err := p.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	// Written also when the worker is told to stop: the machine is there.
	err = w.update(context.WithoutCancel(ctx), func(t *txn, a *Action) error {
		srv, err := t.Servers().Get(srv.ID)
		if err != nil {
			return err
		}
		srv.ProviderID, srv.Updated = m.ID, t.Now()
		if err := t.Servers().Update(srv); err != nil {
			return err
		}
		a.Stage = "active"
		w.action.Stage = a.Stage
		return t.Actions().Update(a)
	})
	return m, err
}

// machineError makes the action wait where the provider may answer otherwise
// later. As a create is looked up before it is repeated, that is also right
// where it is not known what became of it.
func machineError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, final := range []error{
		provider.ErrInvalid, provider.ErrAuth, provider.ErrPermission, provider.ErrQuota, provider.ErrCapacity,
		provider.ErrConflict, provider.ErrMissing, errLeaseLost,
	} {
		if errors.Is(err, final) {
			return err
		}
	}
	return &waiting{least: 5 * time.Second, most: 30 * time.Second, why: err}
}

// knownHostKeys are the keys that the provider knows a machine by, where forge
// gave it none.
func knownHostKeys(ctx context.Context, p provider.Provider, m *provider.Machine) ([]string, error) {
	h, ok := p.(provider.HostKeyer)
	if !ok {
		return nil, nil
	}
	keys, err := h.HostKeys(ctx, m.Address)
	if err != nil {
		return nil, fmt.Errorf("host keys of %s: %w", m.Address, err)
	}
	lines := make([]string, len(keys))
	for i, k := range keys {
		lines[i] = authorizedKey(k)
	}
	return lines, nil
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// provisionChanged keeps the server in step: "creating" is written before the
// provider is called.
func (c *core) provisionChanged(t *txn, a *Action) error {
	switch a.Status {
	case ActionRunning:
		return c.stepServer(t, a, ServerCreating)
	case ActionFailed, ActionCancelled:
		return c.stepServer(t, a, ServerError)
	}
	return nil
}

// stepServer moves the subject of an action, unless it is gone or being deleted.
func (c *core) stepServer(t *txn, a *Action, to ServerStatus) error {
	srv, err := orNone(t.Servers().Get(a.Subject.ID))
	if srv == nil || srv.Status == ServerDeleting || srv.Status == ServerDeleted {
		return err
	}
	srv.Failure = ""
	switch to {
	case ServerError:
		srv.Failure = failureText(a)
	case ServerActive:
		srv.Provisioned = t.Now()
	}
	return c.putServer(t, srv, to, a.ID)
}

// putServer moves a server and stores it.
func (c *core) putServer(t *txn, srv *Server, to ServerStatus, action string) error {
	if err := moveServer(t, srv, to, action); err != nil {
		return err
	}
	srv.Updated = t.Now()
	if err := t.Servers().Update(srv); err != nil || to != ServerActive {
		return err
	}
	return c.catchUp(t, srv)
}

// failureText says in a record why its action did not finish.
func failureText(a *Action) string {
	if a.Failure != nil {
		return (&failure{*a.Failure}).Error()
	}
	return string(a.Status)
}
