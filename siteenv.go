package forge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-797f2c2c/forge/internal/dotenv"
	"github.com/seed-797f2c2c/forge/internal/envfile"
	"github.com/seed-797f2c2c/forge/secret"
)

// EnvVar is a variable in the environment file of a site.
type EnvVar struct {
	Name  string // letters, digits and underscores, no digit first
	Value secret.Secret
	// Plain marks a value that is no secret, as of APP_ENV=production. All
	// others are masked in what the site prints.
	Plain bool
}

// The bounds of an environment.
const (
	maxEnvVars  = 1000
	maxEnvName  = 255
	maxEnvValue = 1 << 20 // bytes
	maxEnvTotal = 2 << 20 // bytes of names and values
)

// Environment returns the environment file of a site as it was last written to
// the server for certain. After a SetEnvironment whose action did not finish, the
// server may have that one already; another SetEnvironment makes it certain.
func (s *Sites) Environment(ctx context.Context, id string) ([]EnvVar, error) {
	f, err := s.f.ask(ctx, "Sites.Environment", Subject{SubjectSite, id})
	if err != nil {
		return nil, err
	}
	site, err := f.Sites.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.f.core.openEnvironment(ctx, id, site.Environment)
}

// SetEnvironment replaces the environment file of a site: .env in the site's
// directory, which the site's user alone can read. The file is replaced in one
// rename and never while a deployment runs; no variables remove it. A call takes
// the place of an earlier one that has not finished.
//
// There can be 1000 variables, and 2 MiB of names and values. A value is any
// text up to 1 MiB without NUL. It is never expanded: phpdotenv and Symfony's
// Dotenv read it as it is, and so does bash, but for carriage returns.
//
// A site can have its environment before its repository lets it in. What is in
// the repository under the same name replaces the file when it is checked out.
func (s *Sites) SetEnvironment(ctx context.Context, id string, vars []EnvVar) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Sites.SetEnvironment", Subject{SubjectSite, id}); err != nil {
		return nil, err
	}
	if err := checkEnvironment(vars); err != nil {
		return nil, err
	}
	c := s.f.core
	sealed, err := c.sealEnvironment(ctx, id, vars)
	if err != nil {
		return nil, err
	}
	err = c.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, id)
		if err != nil {
			return err
		}
		there := []SiteStatus{SiteAwaitingAccess, SiteInstalled, SiteDeployed}
		if !slices.Contains(there, site.Status) {
			return badState("the site is %s; it must be one of %v", site.Status, there)
		}
		if _, err := s.f.activeServer(t, site.Server); err != nil {
			return err
		}
		subject := Subject{SubjectSite, id}
		earlier, err := t.Actions().List(ActionFilter{Subject: subject, Kind: KindSetEnvironment, Open: true}, Page{Limit: MaxPage})
		if err != nil {
			return err
		}
		for _, a := range earlier {
			if err := c.supersede(t, a.ID); err != nil {
				return err
			}
		}
		action = &Action{Owner: site.Owner, Actor: s.f.actor, Kind: KindSetEnvironment, Subject: subject, Server: site.Server,
			Input: Input{Sealed: sealed}, Locks: []string{siteLock(id)}}
		return c.insert(t, action)
	})
	return action, err
}

// checkEnvironment never shows a value, nor a name that may be one.
func checkEnvironment(vars []EnvVar) error {
	const field = "environment"
	if len(vars) > maxEnvVars {
		return invalid(field, "must have at most %d variables", maxEnvVars)
	}
	names, total := make(map[string]bool), 0
	for i, v := range vars {
		value := v.Value.Reveal()
		total += len(v.Name) + len(value)
		switch {
		case len(v.Name) > maxEnvName || !dotenv.IsName(v.Name):
			return invalid(field, "the name of variable %d must be at most %d letters, digits and underscores, with no digit first, "+
				"and none of forge's own", i+1, maxEnvName)
		case names[v.Name]:
			return invalid(field, "%s must not be there twice", v.Name)
		case len(value) > maxEnvValue:
			return invalid(field, "%s must have at most %d bytes", v.Name, maxEnvValue)
		case strings.Contains(value, "\x00"):
			return invalid(field, "%s must not have a NUL", v.Name)
		case !utf8.ValidString(value):
			return invalid(field, "%s must be UTF-8", v.Name)
		}
		names[v.Name] = true
	}
	if total > maxEnvTotal {
		return invalid(field, "must have at most %d bytes in all", maxEnvTotal)
	}
	return nil
}

// setEnvironment writes the file. The record follows it.
func (c *core) setEnvironment(ctx context.Context, w *work) error {
	srv, site, err := w.site(ctx)
	if err != nil {
		return err
	}
	vars, err := c.openEnvironment(ctx, site.ID, w.action.Input.Sealed)
	if err != nil {
		return err
	}
	if err := c.announceEnvironment(ctx, w, site, vars); err != nil {
		return err
	}
	if err := w.stage(ctx, "environment"); err != nil {
		return err
	}
	lines := make([]dotenv.Var, len(vars))
	for i, v := range vars {
		lines[i] = dotenv.Var{Name: v.Name, Value: v.Value.Reveal()}
	}
	cmd, err := envfile.Write(site.User, site.onServer().Paths().Site, lines)
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	if _, err := c.client(srv).Run(ctx, cmd); err != nil {
		return err
	}
	w.done = func(t *txn) error {
		site, err := orNone(t.Sites().Get(site.ID))
		if site == nil {
			return err
		}
		site.Environment, site.EnvironmentNext, site.Updated = w.action.Input.Sealed, nil, t.Now()
		return t.Sites().Update(site)
	}
	return nil
}

// announceEnvironment notes variables that are about to be written, beside those
// of earlier writes that may have come to the server. Whatever becomes of the
// write, they are masked from here on.
func (c *core) announceEnvironment(ctx context.Context, w *work, site *Site, vars []EnvVar) error {
	next, err := c.openEnvironment(ctx, site.ID, site.EnvironmentNext)
	if err != nil {
		return err
	}
	known := len(next)
	for _, v := range vars {
		same := func(o EnvVar) bool { return o.Value.Reveal() == v.Value.Reveal() }
		if !v.Plain && !slices.ContainsFunc(next, same) {
			next = append(next, v)
		}
	}
	if len(next) == known {
		return nil
	}
	sealed, err := c.sealEnvironment(ctx, site.ID, next)
	if err != nil {
		return err
	}
	return w.update(ctx, func(t *txn, _ *Action) error {
		site, err := t.Sites().Get(site.ID)
		if err != nil {
			return gone(err)
		}
		site.EnvironmentNext = sealed
		return t.Sites().Update(site)
	})
}

// Where the secrets of a site are sealed for.
func environmentPlace(id string) string     { return "sites/" + id + "/environment" }
func repositoryTokenPlace(id string) string { return "sites/" + id + "/repository_token" }

// sealedVar is how an EnvVar is sealed.
type sealedVar struct {
	Name, Value string
	Plain       bool
}

func (c *core) sealEnvironment(ctx context.Context, site string, vars []EnvVar) (secret.Sealed, error) {
	if len(vars) == 0 {
		return nil, nil
	}
	all := make([]sealedVar, len(vars))
	for i, v := range vars {
		all[i] = sealedVar{v.Name, v.Value.Reveal(), v.Plain}
	}
	data, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return c.Sealer.Seal(ctx, secret.New(string(data)), environmentPlace(site))
}

func (c *core) openEnvironment(ctx context.Context, site string, sealed secret.Sealed) ([]EnvVar, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	data, err := c.Sealer.Open(ctx, sealed, environmentPlace(site))
	if err != nil {
		return nil, fmt.Errorf("open the environment of site %s: %w", site, err)
	}
	var all []sealedVar
	if err := json.Unmarshal([]byte(data.Reveal()), &all); err != nil {
		return nil, fmt.Errorf("read the environment of site %s: it is not what was sealed", site)
	}
	vars := make([]EnvVar, len(all))
	for i, v := range all {
		vars[i] = EnvVar{v.Name, secret.New(v.Value), v.Plain}
	}
	return vars, nil
}

// siteSecrets are the secrets of a site that must not stand in what it prints.
func (c *core) siteSecrets(ctx context.Context, site *Site) (values []string, err error) {
	vars, err := c.openEnvironment(ctx, site.ID, site.Environment)
	if err != nil {
		return nil, err
	}
	next, err := c.openEnvironment(ctx, site.ID, site.EnvironmentNext)
	if err != nil {
		return nil, err
	}
	for _, v := range append(vars, next...) {
		if v.Plain {
			continue
		}
		value := v.Value.Reveal()
		values = append(values, value)
		if spelled := dotenv.Spelled(value); spelled != value {
			values = append(values, spelled)
		}
	}
	if len(site.RepositoryToken) > 0 {
		token, err := c.Sealer.Open(ctx, site.RepositoryToken, repositoryTokenPlace(site.ID))
		if err != nil {
			return nil, fmt.Errorf("open the repository token of site %s: %w", site.ID, err)
		}
		values = append(values, token.Reveal())
	}
	return values, nil
}
