package forge

import (
	"context"
	"errors"

	"github.com/seed-797f2c2c/forge/provider"
)

// Catalog returns what a provider of Config.Providers offers: regions, sizes with
// their prices, and images, for a form in which a server is put together. It is
// not to be changed. A provider that makes no choice is an error of class
// ErrState.
func (s *Servers) Catalog(ctx context.Context, name string) (*provider.Catalog, error) {
	if _, err := s.f.ask(ctx, "Servers.Catalog", Subject{SubjectProvider, name}); err != nil {
		return nil, err
	}
	p, err := s.f.core.provider(name)
	if err != nil {
		return nil, err
	}
	c, ok := p.(provider.Cataloger)
	if !ok {
		return nil, badState("the provider %q has no catalogue", name)
	}
	catalog, err := c.Catalog(ctx)
	return catalog, providerError(ctx, err)
}

// providerError gives an error of a provider its class.
func providerError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	class := ErrFailed
	switch {
	case errors.Is(err, provider.ErrUnavailable), errors.Is(err, provider.ErrRateLimit):
		class = ErrUnavailable
	case errors.Is(err, provider.ErrConflict):
		class = ErrConflict
	}
	return &Error{Class: class, Err: err}
}
