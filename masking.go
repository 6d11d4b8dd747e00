package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/lines"
	"github.com/seed-797f2c2c/forge/internal/mask"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// What must not stand in what comes back from a server is the secrets of the
// server itself, and those of the sites that the work is about or whose files
// its unix user may read.

// secretsOf are the secrets behind an action, as they are now. Those of records
// that are gone are nobody's any more.
func (c *core) secretsOf(ctx context.Context, a *Action) ([]string, error) {
	var srv *Server
	var sites []*Site
	err := c.Store.View(ctx, func(tx Tx) (err error) {
		if srv, err = orNone(tx.Servers().Get(a.Server)); err != nil {
			return err
		}
		sites, err = sitesBehind(tx, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.reveal(ctx, srv, sites)
}

// sitesBehind are the sites whose secrets an action may come upon.
func sitesBehind(tx Tx, a *Action) ([]*Site, error) {
	siteID := a.Subject.ID
	switch {
	case a.Kind == KindExec:
		return sitesReadBy(tx, a.Server, a.Input.User)
	case a.Kind == KindInstallStack: // the embedder's own steps run as root
		return sitesReadBy(tx, a.Server, "root")
	case a.Subject.Kind == SubjectDeployment:
		d, err := orNone(tx.Deployments().Get(a.Subject.ID))
		if d == nil {
			return nil, err
		}
		siteID = d.Site
	case a.Subject.Kind != SubjectSite:
		return nil, nil
	}
	site, err := orNone(tx.Sites().Get(siteID))
	if site == nil {
		return nil, err
	}
	if site.User == sitectl.SharedUser {
		return sitesReadBy(tx, site.Server, site.User)
	}
	return []*Site{site}, nil
}

// sitesReadBy are the sites of a server whose files a unix user may read.
func sitesReadBy(tx Tx, serverID, user string) (sites []*Site, err error) {
	for site, err := range sitesOn(tx, serverID) {
		if err != nil {
			return nil, err
		}
		if user == "root" || user == site.User {
			sites = append(sites, site)
		}
	}
	return sites, nil
}

// reveal opens the secrets of a server, if there is one, and of sites.
func (c *core) reveal(ctx context.Context, srv *Server, sites []*Site) (values []string, err error) {
	var all []sealedAt
	if srv != nil {
		all = srv.sealed()
	}
	for _, site := range sites {
		all = append(all, site.sealedHooks()...)
		some, err := c.siteSecrets(ctx, site)
		if err != nil {
			return nil, err
		}
		values = append(values, some...)
	}
	for _, s := range all {
		if len(*s.value) == 0 {
			continue
		}
		value, err := c.Sealer.Open(ctx, *s.value, s.place)
		if err != nil {
			return nil, fmt.Errorf("open what is masked: %w", err)
		}
		values = append(values, value.Reveal())
	}
	return values, nil
}

func actionSecretsPlace(id string) string { return "actions/" + id + "/secrets" }

// freeze seals what is masked in the output of a run that is about to begin, so
// that it is masked whoever reads that output later, and whatever became of the
// secrets meanwhile.
func (w *work) freeze(ctx context.Context) (secret.Sealed, error) {
	values, err := w.secretsOf(ctx, w.action)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	texts := make([][]byte, len(values))
	for i, v := range values {
		texts[i] = []byte(v)
	}
	set, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	return w.Sealer.Seal(ctx, secret.New(string(set)), actionSecretsPlace(w.action.ID))
}

// masker hides the secrets that were frozen when the run began, and what they
// became since, as a run may read them at any time.
func (w *work) masker(ctx context.Context) (*mask.Masker, error) {
	values, err := w.toMask(ctx)
	if err != nil {
		return nil, err
	}
	if w.hidden == nil || !slices.Equal(w.hides, values) {
		w.hides, w.hidden = values, mask.New(values...)
	}
	return w.hidden, nil
}

func (w *work) toMask(ctx context.Context) ([]string, error) {
	values, err := w.secretsOf(ctx, w.action)
	if err != nil || len(w.action.Secrets) == 0 {
		return values, err
	}
	set, err := w.Sealer.Open(ctx, w.action.Secrets, actionSecretsPlace(w.action.ID))
	if err != nil {
		return nil, fmt.Errorf("open what is masked: %w", err)
	}
	var texts [][]byte
	if err := json.Unmarshal([]byte(set.Reveal()), &texts); err != nil {
		return nil, fmt.Errorf("read what is masked: %w", err)
	}
	for _, text := range texts {
		values = append(values, string(text))
	}
	return values, nil
}

// unmaskable stands in the place of a text whose secrets cannot be masked now.
const unmaskable = "what was said cannot be shown, as its secrets cannot be masked"

// presentable is a text that may quote what a server said, fit to be stored.
func (w *work) presentable(ctx context.Context, text string) string {
	if text == "" {
		return ""
	}
	m, err := w.masker(ctx)
	if err != nil {
		return unmaskable
	}
	return masked(m, text)
}

// masked bounds a text, makes it valid, and masks the secrets in it.
func masked(m *mask.Masker, text string) string {
	cut := len(text) > maxSaid
	parts := strings.Split(text[:min(len(text), maxSaid)], "\n")
	for i, part := range parts {
		parts[i] = m.Mask(lines.Clean(part), cut && i == len(parts)-1)
	}
	return strings.Join(parts, "\n")
}

// maskExit masks what the error of an attached command quotes.
func (c *core) maskExit(ctx context.Context, srv *Server, user string, err error) error {
	var exit *sshexec.ExitError
	if !errors.As(err, &exit) || exit.Stderr == "" {
		return err
	}
	quiet := *exit
	quiet.Stderr = unmaskable
	var sites []*Site
	viewErr := c.Store.View(ctx, func(tx Tx) (err error) {
		sites, err = sitesReadBy(tx, srv.ID, user)
		return err
	})
	if viewErr != nil {
		return &quiet
	}
	if values, openErr := c.reveal(ctx, srv, sites); openErr == nil {
		quiet.Stderr = masked(mask.New(values...), exit.Stderr)
	}
	return &quiet
}
