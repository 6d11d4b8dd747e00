// Package stack writes the script that turns a bare Debian or Ubuntu machine
// into a web server.
//
// The script is embedded shell in steps. Each has a name, a check and an apply:
// a step whose check holds is skipped, so that a failed install goes on at the
// step that failed, and a second run changes nothing.
package stack

import "cmp"

// Source says where packages come from.
type Source string

// The sources of packages.
const (
	Distro   Source = "distro"   // the distribution's own packages
	Upstream Source = "upstream" // ondrej's PPA, sury, NodeSource, PGDG, MySQL's
)

// The database servers.
const (
	MySQL      = "mysql"
	MariaDB    = "mariadb"
	PostgreSQL = "postgresql"
)

// Config says what is installed besides what always is: nginx, git, curl,
// unzip, a firewall, and an sshd that takes keys alone.
type Config struct {
	OS     string // image of the machine, as "debian-12"
	Source Source // Defaults to Distro.

	PHP             []string // as "8.2"; the first is the default of the command line
	Database        string   // MySQL, MariaDB, PostgreSQL, or empty for none
	DatabaseVersion string   // as "17". Defaults to the source's.
	Redis           bool
	Composer        bool
	Supervisor      bool
	Node            string // major version, as "20"; empty for none

	SwapMB             int // size of a swap file in MiB; 0 for none
	UnattendedUpgrades bool
	Timezone           string // Defaults to "UTC".

	// Before and After are steps of the embedder's own: before anything is
	// installed, and after all is.
	Before, After []Step

	// HTTPProxy is the URL of the proxy by which the server reaches the web,
	// and NoProxy are the hosts that it reaches without. AptProxy is the one of
	// packages alone. AptMirror takes the place of the distribution's archive.
	HTTPProxy string
	NoProxy   []string
	AptProxy  string
	AptMirror string

	// SSHPort is open in the firewall, as is every port that sshd is set to
	// listen on.
	// Defaults to 22.
	SSHPort int
	// ControlKey is an authorized_keys line that lets LoginUser in.
	ControlKey string
	// LoginUser is root, or a user who may use sudo. Defaults to "root".
	LoginUser string
	// KeepKeys carries over the keys in LoginUser's home: wanted on a machine
	// that somebody used before.
	KeepKeys bool
}

// Step is a step of the embedder's own.
type Step struct {
	Name   string
	Script string // bash, run as root
	Check  string // bash that exits with 0 where the step is done; may be empty
}

// Normalize returns the config with its defaults put in.
func (c Config) Normalize() Config {
	c.Source = cmp.Or(c.Source, Distro)
	c.Timezone = cmp.Or(c.Timezone, "UTC")
	c.SSHPort = cmp.Or(c.SSHPort, 22)
	c.LoginUser = cmp.Or(c.LoginUser, "root")
	c.Before, c.After = unixLines(c.Before), unixLines(c.After)
	if versions := c.databases()[c.Database]; len(versions) > 0 {
		c.DatabaseVersion = cmp.Or(c.DatabaseVersion, versions[0])
	}
	return c
}

// Services returns the systemd units that the stack installs.
func Services(c Config) []string {
	units := []string{"nginx"}
	for _, version := range c.PHP {
		units = append(units, "php"+version+"-fpm")
	}
	if c.Database != "" {
		units = append(units, c.Database)
	}
	if c.Redis {
		units = append(units, "redis-server")
	}
	if c.Supervisor {
		units = append(units, "supervisor")
	}
	return units
}
