package acme

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// looks is how often a server is looked for that may have been made, as a list may be
// behind.
const looks = 3

// The labels that forge's machines and keys bear.
const (
	markLabel = "forge"    // the namespace
	idLabel   = "forge-id" // Spec.ID
)

// Server is the vendor's own description, which provider.As finds in a Machine.
type Server struct {
	ID       string            `json:"id,omitempty"`
	Name     string            `json:"name"`
	Region   string            `json:"region"`
	Size     string            `json:"size"`
	Image    string            `json:"image"`
	Keys     []string          `json:"keys,omitempty"`
	UserData string            `json:"user_data,omitempty"`
	Labels   map[string]string `json:"labels"`
	Status   string            `json:"status,omitempty"`
	IPv4     string            `json:"ipv4,omitempty"`
	Created  time.Time         `json:"created,omitzero"`
}

type key struct {
	ID          string            `json:"id,omitempty"`
	Name        string            `json:"name"`
	Public      string            `json:"public_key"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Labels      map[string]string `json:"labels"`
}

// Create implements provider.Provider. Spec.AuthorizedKey is required.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	// Its requests belong together: once begun, it comes before what others begin.
	m, err := p.create(cloud.Operation(ctx), spec)
	if err != nil {
		return nil, fmt.Errorf("acme: create: %w", err)
	}
	return m, nil
}

func (p *Provider) create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
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
	if s, err := p.find(ctx, spec.ID); s != nil || err != nil {
		return machine(s), err
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
	s, err := p.make(ctx, spec.ID, Server{
		Name: spec.Name, Region: spec.Region, Size: spec.Size, Image: spec.Image,
		Keys: []string{keyID}, UserData: userData, Labels: p.labels(spec),
	})
	return machine(s), err
}

// labels are those of the embedder and forge's, which nobody else sets.
func (p *Provider) labels(spec provider.Spec) map[string]string {
	labels := maps.Clone(spec.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[markLabel], labels[idLabel] = p.cfg.Namespace, spec.ID
	return labels
}

// make asks for a server once. What became of a request that was not answered is
// looked up, never asked for again.
func (p *Provider) make(ctx context.Context, specID string, order Server) (*Server, error) {
	made := new(Server)
	cause := p.ask(ctx, http.MethodPost, "/servers", order, made)
	if cause == nil {
		return made, nil
	}
	after, cancel := cloud.Aftermath(ctx)
	defer cancel()
	if ambiguous(cause) {
		s, err := cloud.Look(after, cause, looks, func() (*Server, error) { return p.find(after, specID) })
		if s != nil || err != nil {
			return s, err
		}
	}
	if errors.Is(cause, provider.ErrRateLimit) {
		return nil, cause // it is tried again, and needs the key's entry
	}
	return nil, errors.Join(cause, p.dropKeys(after, specID))
}

// find returns the server of an id, or nil. More than one is for a person to settle.
func (p *Provider) find(ctx context.Context, specID string) (*Server, error) {
	found, _, err := p.servers(ctx, specID)
	if err != nil {
		return nil, err
	}
	return cloud.Only("servers", specID, found, func(s *Server) string { return s.ID })
}

// key returns the entry of the control key at the vendor. One that the account has
// already is used, whosever it is.
func (p *Provider) key(ctx context.Context, spec provider.Spec) (id string, err error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.AuthorizedKey))
	if err != nil {
		return "", fmt.Errorf("%w: AuthorizedKey: %w", provider.ErrInvalid, err)
	}
	fingerprint := ssh.FingerprintSHA256(public)
	path := "/keys?fingerprint=" + url.QueryEscape(fingerprint)
	name := p.cfg.Namespace + "-" + spec.ID + "-" + fingerprint // an earlier try may have been with another key
	var cause error
	for range 2 { // a lost answer is looked up
		var found struct{ Keys []key }
		if err := p.ask(ctx, http.MethodGet, path, nil, &found); err != nil {
			return "", err
		}
		if len(found.Keys) > 0 {
			return found.Keys[0].ID, nil
		}
		made := new(key)
		cause = p.ask(ctx, http.MethodPost, "/keys", key{Name: name, Public: spec.AuthorizedKey, Labels: p.labels(spec)}, made)
		if !ambiguous(cause) {
			return made.ID, cause
		}
	}
	return "", cause
}

// dropKeys removes the entries that forge made for an id, and no others.
func (p *Provider) dropKeys(ctx context.Context, specID string) error {
	var found struct{ Keys []key }
	if err := p.ask(ctx, http.MethodGet, "/keys?"+p.selector(specID), nil, &found); err != nil {
		return err
	}
	for _, k := range found.Keys {
		if k.Labels[markLabel] != p.cfg.Namespace || k.Labels[idLabel] != specID {
			continue
		}
		err := p.ask(ctx, http.MethodDelete, "/keys/"+k.ID, nil, nil)
		if err != nil && !errors.Is(err, provider.ErrNotFound) {
			return err
		}
	}
	return nil
}

// Clean implements provider.Cleaner.
func (p *Provider) Clean(ctx context.Context, spec provider.Spec) error {
	if err := p.dropKeys(cloud.Operation(ctx), spec.ID); err != nil {
		return fmt.Errorf("acme: clean up after %s: %w", spec.ID, err)
	}
	return nil
}
