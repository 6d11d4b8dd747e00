package vultr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/vultr/govultr/v3"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

const (
	// goneIn is how long an instance may take to be gone, looked at every gonePoll.
	goneIn   = time.Minute
	gonePoll = 2 * time.Second
)

// Get implements provider.Provider.
func (p *Provider) Get(ctx context.Context, id string) (*provider.Machine, error) {
	m, err := p.fleet.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("vultr: %w", err)
	}
	return m, nil
}

// List implements provider.Lister.
func (p *Provider) List(ctx context.Context) ([]*provider.Machine, error) {
	all, _, err := p.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("vultr: %w", err)
	}
	return all, nil
}

// Delete implements provider.Provider. It returns when the instance is gone. The key's
// entry goes first, as nothing says what it was for when the instance is gone.
func (p *Provider) Delete(ctx context.Context, id string) error {
	if err := p.remove(cloud.Operation(ctx), id); err != nil {
		return fmt.Errorf("vultr: delete %s: %w", id, err)
	}
	return nil
}

// remove gives the order again until it was taken, which does no harm as an id is never
// given twice: an instance that is being installed is locked, and refuses it.
func (p *Provider) remove(ctx context.Context, id string) error {
	m, err := p.one(ctx, id)
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.dropKeys(ctx, m.SpecID); err != nil {
		return err
	}
	var cause error
	taken := false
	for deadline := time.Now().Add(goneIn); time.Now().Before(deadline); {
		if !taken {
			cause = p.ask(ctx, func(ctx context.Context) error { return p.client.Instance.Delete(ctx, id) })
			p.fleet.Changed(id)
			if cause != nil && !errors.Is(cause, provider.ErrUnavailable) && !errors.Is(cause, provider.ErrNotFound) {
				return cause
			}
			taken = cause == nil
		}
		if _, err := p.one(ctx, id); errors.Is(err, provider.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if err := cloud.Sleep(ctx, gonePoll); err != nil {
			return err
		}
	}
	return cmp.Or(cause, fmt.Errorf("%w: the instance is still there", provider.ErrUnavailable))
}

// one asks for one machine. What forge did not make is not there.
func (p *Provider) one(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// An id from outside must not lead to another path.
	if u, err := uuid.Parse(id); err != nil || u.String() != id {
		return nil, fmt.Errorf("%w: %q", provider.ErrNotFound, id)
	}
	var i *govultr.Instance
	err := p.ask(ctx, func(ctx context.Context) (err error) {
		i, _, err = p.client.Instance.Get(ctx, id) //nolint:bodyclose // wire has read it
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case i == nil:
		return nil, errEmpty
	case !p.ours(i, ""):
		return nil, fmt.Errorf("%w: %q", provider.ErrNotFound, id)
	}
	return machine(i), nil
}

// all lists the machines of forge, for the fleet too.
func (p *Provider) all(ctx context.Context) (all []*provider.Machine, requests int, err error) {
	found, requests, err := p.instances(ctx, "")
	for _, i := range found {
		all = append(all, machine(i))
	}
	return all, requests, err
}

// instances lists the instances of forge, or those of one Spec.ID.
func (p *Provider) instances(ctx context.Context, specID string) (ours []*govultr.Instance, requests int, err error) {
	asked := tag(markTag, p.cfg.Namespace)
	if specID != "" {
		asked = tag(idTag, specID)
	}
	found, requests, err := pages(ctx, p, govultr.ListOptions{Tag: asked}, p.client.Instance.List)
	for _, i := range found { // Vultr's filter is not relied on
		if p.ours(&i, specID) {
			ours = append(ours, &i)
		}
	}
	return ours, requests, err
}

// machine describes an instance.
func machine(i *govultr.Instance) *provider.Machine {
	m := &provider.Machine{
		Labels: labels(i.Tags), ID: i.ID, Name: i.Hostname, Status: status(i), Port: 22, User: "root",
		IPv4: address(i.MainIP), IPv6: address(i.V6MainIP), Private: address(i.InternalIP), Vendor: i,
	}
	m.SpecID = m.Labels[idTag]
	delete(m.Labels, markTag)
	delete(m.Labels, idTag)
	m.Created, _ = time.Parse(time.RFC3339, i.DateCreated)
	m.Address = cloud.Address(m.IPv4)
	return m
}

func status(i *govultr.Instance) provider.Status {
	switch {
	case i.Status == "suspended": // by Vultr, as for an unpaid bill
		return provider.StatusError
	case i.Status != "active":
		return provider.StatusPending
	case i.PowerStatus == "running":
		return provider.StatusActive
	case i.ServerStatus == "locked", i.ServerStatus == "installingbooting":
		return provider.StatusPending
	default:
		return provider.StatusOff
	}
}

// address reads an address, which is 0.0.0.0 or empty until there is one.
func address(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// Clean implements provider.Cleaner.
func (p *Provider) Clean(ctx context.Context, spec provider.Spec) error {
	if err := p.dropKeys(cloud.Operation(ctx), spec.ID); err != nil {
		return fmt.Errorf("vultr: clean up after %s: %w", spec.ID, err)
	}
	return nil
}
