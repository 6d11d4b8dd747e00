package forge

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"time"

	"github.com/seed-797f2c2c/forge/secret"
)

// Hooks lets others trigger the deployments of a site: the host of its
// repository by a webhook, and who knows its deploy URL by calling that. See
// Handler.
type Hooks struct{ f *Forge }

// Hook is a way in which others trigger the deployments of a site.
type Hook string

// The hooks. Each has a secret of its own for each site.
const (
	Webhook   Hook = "webhook"    // the secret that a git host signs with, or sends
	DeployURL Hook = "deploy_url" // the token at the end of the deploy URL
)

// Secret returns the secret of one of a site's hooks.
func (s *Hooks) Secret(ctx context.Context, siteID string, hook Hook) (secret.Secret, error) {
	f, err := s.f.ask(ctx, "Hooks.Secret", Subject{SubjectSite, siteID})
	if err != nil {
		return secret.Secret{}, err
	}
	site, err := f.Sites.Get(ctx, siteID)
	if err != nil {
		return secret.Secret{}, err
	}
	kept, err := site.hook(hook)
	if err != nil {
		return secret.Secret{}, err
	}
	if len(kept.Current) == 0 {
		return secret.Secret{}, badState("the site has no secret for the %s yet; call Rotate", hook)
	}
	return s.f.core.openHook(ctx, kept.Current, site.ID, hook)
}

// Rotate makes a new secret for one of a site's hooks and returns it. The one
// before it is good for a time too, so that it can be replaced where it is in
// use; with a keep of 0 it is good no more.
func (s *Hooks) Rotate(ctx context.Context, siteID string, hook Hook, keep time.Duration) (secret.Secret, error) {
	if _, err := s.f.ask(ctx, "Hooks.Rotate", Subject{SubjectSite, siteID}); err != nil {
		return secret.Secret{}, err
	}
	if _, err := new(Site).hook(hook); err != nil {
		return secret.Secret{}, err
	}
	if keep < 0 {
		return secret.Secret{}, invalid("keep", "must not be negative")
	}
	value, sealed, err := s.f.core.newHook(ctx, siteID, hook)
	if err != nil {
		return secret.Secret{}, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, siteID)
		if err != nil {
			return err
		}
		kept, err := site.hook(hook)
		if err != nil {
			return err
		}
		rotated := RotatingSecret{Current: sealed}
		if keep > 0 {
			rotated.Previous, rotated.PreviousUntil = kept.Current, t.Now().Add(keep)
		}
		*kept, site.Updated = rotated, t.Now()
		return t.Sites().Update(site)
	})
	if err != nil {
		return secret.Secret{}, err
	}
	return value, nil
}

// Deliveries returns a page of the webhooks that were received and that the
// filter selects.
func (s *Hooks) Deliveries(ctx context.Context, filter DeliveryFilter, page Page) ([]*Delivery, error) {
	if _, err := s.f.ask(ctx, "Hooks.Deliveries"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Delivery, error) { return tx.Deliveries().List(filter, page) })
}

// AllDeliveries yields every webhook that was received and that the filter
// selects, page by page.
func (s *Hooks) AllDeliveries(ctx context.Context, filter DeliveryFilter) iter.Seq2[*Delivery, error] {
	return asking(ctx, s.f, "Hooks.AllDeliveries", nil, func(f *Forge) iter.Seq2[*Delivery, error] {
		return all(func(page Page) ([]*Delivery, error) { return f.Hooks.Deliveries(ctx, filter, page) },
			func(d *Delivery) string { return d.ID })
	})
}

// hook is where the site keeps the secret of a hook.
func (s *Site) hook(hook Hook) (*RotatingSecret, error) {
	switch hook {
	case Webhook:
		return &s.Webhook, nil
	case DeployURL:
		return &s.DeployURL, nil
	}
	return nil, invalid("hook", "must be %q or %q", Webhook, DeployURL)
}

// sealHooks makes the secrets of a new site's hooks.
func (c *core) sealHooks(ctx context.Context, site *Site) (err error) {
	if _, site.Webhook.Current, err = c.newHook(ctx, site.ID, Webhook); err == nil {
		_, site.DeployURL.Current, err = c.newHook(ctx, site.ID, DeployURL)
	}
	return err
}

func (c *core) newHook(ctx context.Context, siteID string, hook Hook) (secret.Secret, secret.Sealed, error) {
	value := secret.New(rand.Text() + rand.Text())
	sealed, err := c.Sealer.Seal(ctx, value, hookPlace(siteID, hook))
	return value, sealed, err
}

func (c *core) openHook(ctx context.Context, sealed secret.Sealed, siteID string, hook Hook) (secret.Secret, error) {
	value, err := c.Sealer.Open(ctx, sealed, hookPlace(siteID, hook))
	if err != nil {
		return secret.Secret{}, fmt.Errorf("open the secret for the %s of site %s: %w", hook, siteID, err)
	}
	return value, nil
}

// hookSecrets are the secrets of a site's hook that are good at a time.
func (c *core) hookSecrets(ctx context.Context, site *Site, hook Hook, now time.Time) (good []secret.Secret, err error) {
	kept, err := site.hook(hook)
	if err != nil {
		return nil, err
	}
	sealed := []secret.Sealed{kept.Current}
	if now.Before(kept.PreviousUntil) {
		sealed = append(sealed, kept.Previous)
	}
	for _, one := range sealed {
		if len(one) == 0 {
			continue
		}
		value, err := c.openHook(ctx, one, site.ID, hook)
		if err != nil {
			return nil, err
		}
		good = append(good, value)
	}
	return good, nil
}

func hookPlace(siteID string, hook Hook) string { return "sites/" + siteID + "/" + string(hook) }
