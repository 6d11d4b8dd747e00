package sitectl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// anyServer is for what needs none.
var anyServer = &servertest.Server{PHP: "8.2"}

func TestScriptsAreClean(t *testing.T) {
	t.Parallel()
	servertest.Shellcheck(t, createCommand(t, phpSite(anyServer, "a")).Script)
	servertest.Shellcheck(t, deleteCommand(t, phpSite(anyServer, "a")).Script)
}

func TestPaths(t *testing.T) {
	t.Parallel()
	require.Equal(t, sitectl.Paths{
		Home:       "/home/site",
		Site:       "/home/site/site.example.com",
		Web:        "/home/site/site.example.com/public",
		DeployKey:  "/home/site/.ssh/forge-site-0190",
		State:      "/etc/forge/sites/site-0190",
		KnownHosts: "/etc/forge/sites/site-0190/known_hosts",
		Vhost:      "/etc/nginx/forge.d/site-0190.conf",
		Logs:       "/var/log/nginx/forge-site-0190",
		Keys:       "/etc/ssh/authorized_keys.d/site",
		Pool:       "/etc/php/8.2/fpm/pool.d/forge-site-0190.conf",
		Socket:     "/run/php/forge-site-0190-8.2.sock",
		FPM:        "php-fpm8.2",
		FPMService: "php8.2-fpm",
		PHP:        "php8.2",
	}, phpSite(anyServer, "site").Paths())
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sitectl.Site){
		"no id":                 func(s *sitectl.Site) { s.ID = "" },
		"id that climbs":        func(s *sitectl.Site) { s.ID = ".." },
		"root":                  func(s *sitectl.Site) { s.User = "root" },
		"user as option":        func(s *sitectl.Site) { s.User = "-x" },
		"no directory":          func(s *sitectl.Site) { s.Directory = "" },
		"directory that climbs": func(s *sitectl.Site) { s.Directory = ".." },
		"directory of dots":     func(s *sitectl.Site) { s.Directory = ".ssh" },
		"two directories":       func(s *sitectl.Site) { s.Directory = "a/b" },
		"web that climbs":       func(s *sitectl.Site) { s.WebDirectory = "/../.ssh" },
		"web in git":            func(s *sitectl.Site) { s.WebDirectory = "/.git" },
		"web with shell":        func(s *sitectl.Site) { s.WebDirectory = "/$(id)" },
		"PHP without version":   func(s *sitectl.Site) { s.PHPVersion = "" },
		"PHP as path":           func(s *sitectl.Site) { s.PHPVersion = "../8.2" },
		"kind":                  func(s *sitectl.Site) { s.Kind = "x" },
		"name":                  func(s *sitectl.Site) { s.Names = []string{"a;b"} },
		"known hosts":           func(s *sitectl.Site) { s.KnownHosts = "x" },
	} {
		s := phpSite(anyServer, "a")
		change(&s)
		_, err := sitectl.Create(s)
		require.Error(t, err, name)
	}
	_, err := sitectl.Delete(sitectl.Site{ID: "../x", User: "a"})
	require.Error(t, err)
	_, err = sitectl.Delete(sitectl.Site{ID: "x", User: "../a"})
	require.Error(t, err)
}

// Whatever is let through stays below the places that are the site's own.
func TestPathsProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9./_-]{1,20}`))
		s := phpSite(anyServer, "a")
		s.ID, s.User, s.Directory, s.WebDirectory = text.Draw(t, "id"), text.Draw(t, "user"), text.Draw(t, "directory"), text.Draw(t, "web")
		cmd, err := sitectl.Create(s)
		if err != nil {
			return
		}
		p := s.Paths()
		require.True(t, strings.HasPrefix(p.Web+"/", p.Site+"/"))
		require.Equal(t, 3, strings.Count(p.Site, "/"))
		require.Equal(t, 4, strings.Count(p.State, "/"))
		require.NotContains(t, p.Web, "/.")
		for _, arg := range cmd.Args {
			require.False(t, strings.HasPrefix(arg, "-"), arg)
		}
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{
		81: sitectl.ErrTaken, 82: sitectl.ErrNotInstalled, 83: sitectl.ErrBrokenBefore,
		84: sitectl.ErrRejected, 85: sitectl.ErrNotReloaded, 86: sitectl.ErrBusy,
	} {
		exit := &sshexec.ExitError{ExitCode: code}
		err := sitectl.Explain(exit)
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, err, exit)
	}
	for _, err := range []error{errors.New("other"), &sshexec.ExitError{ExitCode: 1}, nil} {
		require.Equal(t, err, sitectl.Explain(err))
	}
}
