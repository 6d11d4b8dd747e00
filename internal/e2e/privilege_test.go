package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// home is a path in the home of the site's user.
func (s *site) home(path string) string { return "/home/" + s.User + "/" + path }

// dir is a path in the site's directory.
func (s *site) dir(path string) string { return s.home(s.Directory + "/" + path) }

// denied runs a script as the site's user that must fail and print no secret.
func (s *site) denied(t *testing.T, script string, args ...string) {
	t.Helper()
	result, err := s.e.Servers.Run(t.Context(), s.server.ID, forge.RunOpts{User: s.User, Script: script, Args: args})
	var exit *sshexec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("%s %q was not refused: %v %s", script, args, err, result.Stdout)
		return
	}
	require.NotContains(t, string(result.Stdout)+string(result.Stderr), "SECRET", script)
}

// victim is a site with secrets in its files.
func newVictim(t *testing.T, e *embedder, srv *forge.Server) *site {
	t.Helper()
	s := newGitSite(t, e, srv, forge.SiteOpts{})
	e.bashAs(t, srv, s.User, `cd "$1"; echo SECRET=1 >.env; echo '<?php return "SECRET";' >public/secret.php; chmod 644 .env public/secret.php`,
		s.dir(""))
	get(t, srv, s.Domain, "/?SECRET")
	return s
}

func TestSiteUsers(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	victim, thief := newVictim(t, e, srv), newGitSite(t, e, srv, forge.SiteOpts{})
	socket := "/run/php/forge-" + victim.ID + "-" + victim.PHPVersion + ".sock"

	t.Run("files", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{
			victim.dir(".env"), victim.dir("public/secret.php"), victim.dir(".git/config"),
			victim.home(".ssh/forge-" + victim.ID), "/var/log/nginx/forge-" + victim.ID + ".access.log",
			"/etc/shadow", "/etc/mysql/debian.cnf", "/var/lib/forge/runs/*/script", "/var/lib/forge/runs/*/log",
		} {
			thief.denied(t, `cat $1`, path)
			thief.denied(t, `[[ $1 != /home/* ]] || ls -- "${1%/*}"; false`, path)
		}
		for _, dir := range []string{victim.home(""), victim.dir(""), "/home", "/var/lib/forge/runs", "/root"} {
			thief.denied(t, `ls -- "$1"`, dir)
		}
		thief.denied(t, `ln -- "$1" ~/stolen`, victim.dir("public/secret.php"))
		for _, file := range []string{
			"/etc/nginx/forge.d/" + victim.ID + ".conf", "/etc/nginx/forge.d/" + thief.ID + ".conf", "/etc/forge/sites/" + thief.ID + "/known_hosts",
			"/etc/ssh/authorized_keys.d/" + thief.User, "/etc/ssh/authorized_keys.d/root", "/etc/ssh/authorized_keys.d/new",
			"/var/lib/forge/runs/new", "/etc/cron.d/new", "/usr/local/bin/new",
		} {
			thief.denied(t, `echo x >>"$1"`, file)
			thief.denied(t, `touch -- "$1.new"`, file)
		}
	})
	t.Run("services", func(t *testing.T) {
		t.Parallel()
		thief.denied(t, `php -r '$s = @stream_socket_client("unix://" . $argv[1]); exit($s ? 0 : 1);' "$1"`, socket)
		for _, user := range []string{"", "--user=root", "--user=forge", "--user=" + victim.User} {
			for _, host := range []string{"localhost", "127.0.0.1"} {
				thief.denied(t, `mariadb --host="$1" $2 --execute='SHOW DATABASES'`, host, user)
			}
		}
		thief.denied(t, `redis-cli PING | grep PONG`)
		thief.denied(t, `redis-cli FLUSHALL | grep OK`)
		thief.denied(t, `supervisorctl status`)
		thief.denied(t, `supervisorctl -s unix:///run/supervisor.sock restart all`)
	})
	t.Run("root", func(t *testing.T) {
		t.Parallel()
		for _, command := range []string{
			"sudo -n true", "sudo -n -l", "sudo -n supervisorctl status", "su -c true </dev/null", "pkexec true",
			"systemctl restart nginx", "systemd-run true", "systemd-run --user true", "systemctl --user start x",
			"loginctl enable-linger", `loginctl enable-linger "$(id -un)"`, "echo '* * * * * id' | crontab -", "echo id | at now",
			"kill -0 1", "nsenter --target 1 --mount true", "unshare --mount true",
		} {
			thief.denied(t, command)
		}
		thief.denied(t, `[[ $(id -nG) == *" "* ]]`) // in no group but its own
		require.Empty(t, e.bash(t, srv, "ls -A /var/lib/systemd/linger /var/spool/cron/crontabs 2>/dev/null | grep -vE '^(/|$)' || true"))
	})
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		e.bash(t, srv, `ip addr replace 169.254.169.254/32 dev lo
systemd-run --quiet --collect --unit=metadata-stand-in php -S 169.254.169.254:8080 -t /usr/share/doc/nginx-common
curl -sS --retry 50 --retry-connrefused --retry-delay 0 --retry-max-time 10 -o /dev/null http://169.254.169.254:8080/`)
		defer e.bash(t, srv, "systemctl stop metadata-stand-in; ip addr del 169.254.169.254/32 dev lo")
		thief.denied(t, "curl -sS --max-time 5 http://169.254.169.254:8080/")
		e.bash(t, srv, "curl -sS --max-time 5 -o /dev/null http://169.254.169.254:8080/")
	})
	t.Run("PHP", func(t *testing.T) {
		t.Parallel()
		steal := `<?php
foreach ([` + quoted(victim.dir(".env"), victim.dir("public/secret.php"), "/etc/shadow", "/var/log/nginx/forge-"+victim.ID+".access.log") + `] as $f) {
	echo @file_get_contents($f), @include $f, @shell_exec("cat " . escapeshellarg($f) . " 2>/dev/null");
	@symlink($f, __DIR__ . "/link" . crc32($f)); echo @file_get_contents(__DIR__ . "/link" . crc32($f));
}
foreach (@scandir("` + victim.dir("") + `") ?: [] as $f) echo "SECRET $f";
if (@stream_socket_client("unix://` + socket + `")) echo "SECRET socket";
foreach (["root", "forge", "` + victim.User + `"] as $u) foreach (["localhost", "127.0.0.1"] as $h)
	try { new mysqli($h, $u); echo "SECRET database"; } catch (Exception) {}
echo "stolen by ", posix_getpwuid(posix_geteuid())["name"];`
		thief.commit(t, "public/steal.php", steal)
		thief.deploy(t)
		p := get(t, srv, thief.Domain, "/steal.php")
		require.Equal(t, "stolen by "+thief.User, p.body)
		// nginx, which may read in every home, does not follow the links.
		for _, name := range strings.Fields(e.bashAs(t, srv, thief.User, `cd "$1" && ls -d link*`, thief.dir("public"))) {
			require.NotContains(t, get(t, srv, thief.Domain, "/"+name).body, "SECRET")
		}
	})
}

func quoted(texts ...string) string { return "'" + strings.Join(texts, "','") + "'" }

// A site's user plants links and hooks wherever forge will work next.
func TestPlantedLinks(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := refusedSite(t, e, srv, forge.SiteOpts{})
	e.bash(t, srv, `install -d -m 0700 "/root/$1"; echo kept >"/root/$1/file"; chmod 600 "/root/$1/file"`, s.repo)
	state := func() string {
		return e.bash(t, srv, `find "/root/$1" /root/.ssh /etc/shadow /etc/sudoers /etc/ssh/authorized_keys.d/root -printf '%p %u %g %m %y\n'
find "/root/$1" -type f -exec sha256sum {} +; sha256sum /etc/sudoers /etc/ssh/authorized_keys.d/root; ls -A /root`, s.repo)
	}
	before := state()

	// Before it is set up again: the site and the place of its key are links.
	e.bashAs(t, srv, s.User, `rm -rf "$1" ~/.ssh; ln -s "/root/$2" "$1"; ln -s "/root/$2" ~/.ssh; ln -s /etc/shadow ~/shadow`,
		s.home(s.Directory), s.repo)
	action, err := e.Sites.Connect(t.Context(), s.ID)
	require.NoError(t, err)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	require.Error(t, err)
	require.Equal(t, before, state())

	// Then it is honest for a while.
	e.bashAs(t, srv, s.User, `rm "$1" ~/.ssh`, s.home(s.Directory))
	action, err = e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, action, err)
	s.reload(t)
	s.allow(t)
	action, err = e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, action, err)

	// Whatever git is made to run, it runs as the site's user.
	e.bashAs(t, srv, s.User, `cd "$1"
printf '#!/bin/sh\nid -un >>~/who\n' | tee .git/hooks/post-checkout .git/hooks/reference-transaction .git/hooks/post-index-change ~/monitor >/dev/null
chmod +x .git/hooks/* ~/monitor
git config core.fsmonitor ~/monitor
ln -s "/root/$2" linked; ln -sf /etc/shadow public/shadow
ln -s /etc/shadow ~/.gitconfig-shadow; printf '#!/bin/sh\nid -un >>~/who\n' >~/.bash_profile; echo 'id -un >>~/who' >>~/.bashrc`, s.home(s.Directory), s.repo)
	s.deploy(t)
	require.Equal(t, s.User+"\n", e.bash(t, srv, `sort -u "$1"`, s.home("who")))
	require.Equal(t, before, state())

	// A key, while the user's own place for keys leads elsewhere.
	e.bashAs(t, srv, s.User, `mv ~/.ssh ~/ssh; ln -s "/root/$1" ~/.ssh`, s.repo)
	l := newLaptop(t, srv)
	key, err := e.Keys.Add(t.Context(), forge.KeyOpts{Name: "laptop", Public: l.public})
	require.NoError(t, err)
	to := forge.Selector{Servers: []string{srv.ID}, User: s.User}
	action, err = e.Keys.Sync(t.Context(), key.ID, to)
	e.finish(t, action, err)
	action, err = e.Keys.Revoke(t.Context(), key.ID, to, nil)
	e.finish(t, action, err)
	require.Equal(t, before, state())

	// And the end.
	e.bashAs(t, srv, s.User, `mkdir ~/a; ln -s "/root/$1" ~/a/b; rm -rf "$2"; ln -s "/root/$1" "$2"; ln -s / ~/slash`, s.repo, s.home(s.Directory))
	action, err = e.Sites.Delete(t.Context(), s.ID)
	e.finish(t, action, err)
	require.Equal(t, before, state())
}
