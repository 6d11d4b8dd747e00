package forge

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/secret"
)

// SetToken replaces the token that logs in to a site's https repository; an
// empty one takes it away. It is used from the next git command on. A site in
// state SiteAwaitingAccess is then set up by Connect.
func (s *Sites) SetToken(ctx context.Context, id string, token secret.Secret) error {
	if _, err := s.f.ask(ctx, "Sites.SetToken", Subject{SubjectSite, id}); err != nil {
		return err
	}
	c := s.f.core
	sealed, err := c.sealToken(ctx, id, token)
	if err != nil {
		return err
	}
	return c.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, id)
		if err != nil {
			return err
		}
		if site.Status == SiteDeleting {
			return badState("the site is %s", site.Status)
		}
		if err := site.fitsToken(token); err != nil {
			return err
		}
		site.RepositoryToken, site.Updated = sealed, t.Now()
		return t.Sites().Update(site)
	})
}

// fitsToken refuses a token that the repository could not be read with.
func (s *Site) fitsToken(token secret.Secret) error {
	const field = "repository_token"
	if token.Empty() {
		return nil
	}
	if !s.overHTTPS() {
		return invalid(field, "must be empty where the repository is not https; over ssh it lets the site's deploy key in")
	}
	if _, err := validate.RepositoryToken(field, token.Reveal()); err != nil {
		return asInvalid(err)
	}
	return nil
}

func (c *core) sealToken(ctx context.Context, siteID string, token secret.Secret) (secret.Sealed, error) {
	if token.Empty() {
		return nil, nil
	}
	return c.Sealer.Seal(ctx, token, repositoryTokenPlace(siteID))
}

func (s *Site) overHTTPS() bool { return strings.HasPrefix(s.Repository, "https://") }

// repo is a site's repository and working copy, with the token in the clear.
func (c *core) repo(ctx context.Context, site *Site, branch string) (git.Repo, error) {
	repo := site.onServer().Repo(site.Repository, branch)
	if len(site.RepositoryToken) == 0 {
		return repo, nil
	}
	var err error
	if repo.Token, err = c.Sealer.Open(ctx, site.RepositoryToken, repositoryTokenPlace(site.ID)); err != nil {
		return git.Repo{}, fmt.Errorf("open the repository token of site %s: %w", site.ID, err)
	}
	repo.Login = cmp.Or(site.RepositoryUser, "git")
	return repo, nil
}

// refusal says what to do about a repository that refuses access.
func (s *Site) refusal() string {
	switch {
	case !s.overHTTPS():
		return "the repository refuses the site's deploy key; give it access"
	case len(s.RepositoryToken) == 0:
		return "the repository asks for a login; set a token that may read it"
	default:
		return "the repository refuses the site's token; set one that may read it"
	}
}
