package vultr

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/vultr/govultr/v3"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

const (
	// looks is how often an instance is looked for that may have been made, as a list
	// may be behind.
	looks = 4
	// maxUserData is what is 64 KiB in base64. Vultr names no limit; others have that.
	maxUserData = 48 << 10
)

// Create implements provider.Provider. Spec.AuthorizedKey is required.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	// Its requests belong together: once begun, it comes before what others begin.
	i, err := p.create(cloud.Operation(ctx), spec)
	if err != nil {
		return nil, fmt.Errorf("vultr: create: %w", err)
	}
	return machine(i), nil
}

func (p *Provider) create(ctx context.Context, spec provider.Spec) (*govultr.Instance, error) {
	spec.Region, spec.Size, spec.Image = cmp.Or(spec.Region, p.cfg.Region), cmp.Or(spec.Size, p.cfg.Size), cmp.Or(spec.Image, p.cfg.Image)
	if err := cloud.Validate(spec, p.Properties()); err != nil {
		return nil, err
	}
	userData, err := cloud.UserData(spec, maxUserData)
	if err != nil {
		return nil, err
	}
	unlock, err := p.locks.Lock(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Another process, or an earlier try, may have made it.
	if i, err := p.find(ctx, spec.ID); i != nil || err != nil {
		return i, err
	}
	catalog, err := p.catalog.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := catalog.Check(spec); err != nil {
		return nil, err
	}
	keyID, err := p.key(ctx, spec)
	if err != nil {
		return nil, err
	}
	order := &govultr.InstanceCreateReq{
		Region: spec.Region, Plan: spec.Size, OsID: (*p.systems.Load())[spec.Image],
		Label: spec.Name, Hostname: spec.Name, Tags: p.tags(spec),
		SSHKeys: []string{keyID}, UserScheme: "root",
		UserData:   base64.StdEncoding.EncodeToString([]byte(userData)),
		EnableIPv6: new(true), ActivationEmail: new(false), Backups: "disabled",
	}
	if spec.Backups {
		order.Backups = "enabled"
	}
	if spec.Network != "" {
		order.AttachVPC = []string{spec.Network}
	}
	return p.make(ctx, spec.ID, order)
}

// make asks for an instance once. What became of a request that was not answered is
// looked up, never asked for again.
func (p *Provider) make(ctx context.Context, specID string, order *govultr.InstanceCreateReq) (*govultr.Instance, error) {
	var made *govultr.Instance
	cause := p.ask(ctx, func(ctx context.Context) (err error) {
		made, _, err = p.client.Instance.Create(ctx, order) //nolint:bodyclose // wire has read it
		return err
	})
	if cause == nil && made != nil {
		return made, nil
	}
	cause = cmp.Or(cause, errEmpty)
	after, cancel := cloud.Aftermath(ctx)
	defer cancel()
	if ambiguous(cause) {
		i, err := cloud.Look(after, cause, looks, func() (*govultr.Instance, error) { return p.find(after, specID) })
		if i != nil || err != nil {
			return i, err
		}
	}
	if errors.Is(cause, provider.ErrRateLimit) {
		return nil, cause // it is tried again, and needs the key's entry
	}
	return nil, errors.Join(cause, p.dropKeys(after, specID))
}

// errEmpty is of a 2xx without what was made, which govultr takes for an answer.
var errEmpty = fmt.Errorf("%w: the answer is empty", provider.ErrUnavailable)

// find returns the instance of an id, or nil. More than one is for a person to settle.
func (p *Provider) find(ctx context.Context, specID string) (*govultr.Instance, error) {
	found, _, err := p.instances(ctx, specID)
	if err != nil {
		return nil, err
	}
	return cloud.Only("instances", specID, found, func(i *govultr.Instance) string { return i.ID })
}
