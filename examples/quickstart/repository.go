package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed-797f2c2c/forge"
)

// A git server of the demo's own, on the machine itself: a user "git" who may be
// reached by ssh for git alone.

const makeRepository = `
id -u git >/dev/null 2>&1 || useradd --system --create-home --shell /usr/bin/git-shell git
repo=/home/git/demo.git
[ -d "$repo" ] || runuser -u git -- git init --quiet --bare --initial-branch=main "$repo"
`

const push = `
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
chown git: "$work"
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
as() { runuser -u git -- "$@"; }
as git clone --quiet /home/git/demo.git "$work/demo" 2>/dev/null
cd "$work/demo"
! as git log --format=%s 2>/dev/null | grep -xF "Show $1" >/dev/null || exit 0 # a run that was killed did it
as mkdir -p public
printf '<?php echo "This is %s, served by PHP ", PHP_VERSION, " as ", get_current_user(), ".\n";\n' "$1" |
	as tee public/index.php >/dev/null
as git add .
as git commit --quiet -m "Show $1"
as git push --quiet origin HEAD:main
`

const allow = `
printf 'restrict %s\n' "$1" >/etc/ssh/authorized_keys.d/git
chmod 0644 /etc/ssh/authorized_keys.d/git
`

func (d *demo) makeRepository(ctx context.Context, opts *forge.SiteOpts) error {
	if _, err := d.forge.Servers.Run(ctx, d.server.ID, forge.RunOpts{User: "root", Script: makeRepository}); err != nil {
		return err
	}
	opts.Repository = fmt.Sprintf("ssh://git@127.0.0.1:%d/home/git/demo.git", d.server.Port)
	host := "127.0.0.1"
	if d.server.Port != 22 {
		host = fmt.Sprintf("[127.0.0.1]:%d", d.server.Port)
	}
	for _, key := range d.server.HostKeys {
		opts.KnownHosts += host + " " + strings.TrimSpace(key) + "\n"
	}
	return d.push(ctx, "the first commit")
}

// push commits a page to the repository.
func (d *demo) push(ctx context.Context, text string) error {
	_, err := d.forge.Servers.Run(ctx, d.server.ID, forge.RunOpts{User: "root", Script: push, Args: []string{text}})
	return err
}

// allow gives a deploy key access to the repository.
func (d *demo) allow(ctx context.Context, key string) error {
	_, err := d.forge.Servers.Run(ctx, d.server.ID, forge.RunOpts{User: "root", Script: allow, Args: []string{key}})
	return err
}
