// Package git has what forge does with the repository of a site on its server.
// Every command runs as the site's user, who alone has the working copy, and
// reaches the git server with the site's deploy key and with host keys that
// are known before.
package git
