package validate

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

const maxPath = 255 // bytes of a web directory

var (
	userPattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	zonePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*$`)
	webPattern  = regexp.MustCompile(`^(/|(/[A-Za-z0-9._][A-Za-z0-9._-]*)+)$`)
)

// systemNames are users and groups of Debian and Ubuntu, and of what forge
// installs. useradd makes a group of the user's name, so both are taken.
var systemNames = strings.Fields(`
	root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody nogroup
	adm tty disk dialout fax voice cdrom floppy tape sudo wheel admin audio dip operator src shadow utmp video sasl
	plugdev staff users input sgx kvm render netdev crontab ssh sshd messagebus dbus polkitd syslog uuidd tcpdump
	tss landscape pollinate fwupd-refresh lxd docker mlocate ntp chrony postfix postdrop dnsmasq rtkit avahi
	nginx apache http caddy php mysql mariadb postgres postgresql redis valkey memcache memcached supervisor rabbitmq
	mongodb elasticsearch ssl-cert fail2ban puppet ansible clamav debian-tor dovecot bind named git-daemon`)

// UnixUser checks the name of a user whom forge makes: useradd's rule, and
// none of the system's own names.
func UnixUser(field, value string) (string, error) {
	switch {
	case value == "":
		return "", hidden(field, required)
	case !userPattern.MatchString(value):
		return "", broken(field, value, "must be at most 32 lower-case letters, digits, dashes and underscores, with a letter first")
	case slices.Contains(systemNames, value), strings.HasPrefix(value, "systemd-"):
		return "", broken(field, value, "must not be a name that the system uses")
	}
	return value, nil
}

// WebDirectory checks the directory that is served, below that of a site. Its
// normal form is "/" or as "/public", with a slash first and none last.
func WebDirectory(field, value string) (string, error) {
	dir := "/" + strings.TrimLeft(value, "/")
	switch {
	case value == "":
		return "", hidden(field, required)
	case len(dir) > maxPath:
		return "", hidden(field, "must have at most %d characters", maxPath)
	case slices.Contains(strings.Split(dir, "/"), ".."):
		return "", broken(field, value, "must not have .. in it")
	}
	dir = path.Clean(dir)
	switch {
	case !webPattern.MatchString(dir):
		return "", broken(field, value, "must have only letters, digits, dots, dashes and underscores between slashes, "+
			"and no dash after a slash")
	case slices.Contains(strings.Split(dir, "/"), ".git"):
		return "", broken(field, value, "must not be in the repository's own data")
	}
	return dir, nil
}

// Timezone checks the name of a time zone, as "Europe/Berlin". Where this
// machine has no list of zones, the form alone is checked.
func Timezone(field, value string) (string, error) {
	if value == "" {
		return "", hidden(field, required)
	}
	known := value != "Local" && zonePattern.MatchString(value)
	if known {
		if _, err := time.LoadLocation(value); err != nil {
			_, err = time.LoadLocation("Europe/London")
			known = err != nil
		}
	}
	if !known {
		return "", broken(field, value, `must be a time zone such as "Europe/Berlin"`)
	}
	return value, nil
}
