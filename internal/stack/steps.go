package stack

import "slices"

// step is a function of the script: check_<function> and apply_<function> in
// steps/<function>.sh, with the variables that only it uses.
type step struct {
	name      string
	function  string
	args      []string
	packages  []string // what it installs, as far as that is downloaded ahead
	variables []variable
}

// steps returns the steps of a normalized config in their order.
func (c Config) steps() []step {
	all := []step{{name: "system", function: "system", variables: []variable{word("os", c.OS)}}}
	add := func(when bool, s step) {
		if when {
			all = append(all, s)
		}
	}
	before, after := c.ownSteps()
	all = append(all, c.proxies()...)
	all = append(all, before...)
	add(c.SwapMB > 0, step{name: "swap", function: "swap", variables: []variable{number("swap_mb", c.SwapMB)}})
	add(true, step{name: "timezone", function: "timezone", variables: []variable{word("timezone", c.Timezone)}})
	add(true, step{name: "updates", function: "upgrade"})
	sources := c.sources()
	add(len(sources) > 0, step{name: "package sources", function: "sources", variables: []variable{words("sources", sources)}})

	installs := c.installs()
	var packages []string
	for _, s := range installs {
		packages = append(packages, s.packages...)
	}
	add(true, step{name: "download", function: "download", variables: []variable{words("packages", packages)}})
	all = append(all, installs...)
	add(true, step{name: "cleanup", function: "cleanup"})
	return append(all, after...)
}

// installs returns the steps after the download.
func (c Config) installs() []step {
	base := []string{"ca-certificates", "curl", "git", "git-lfs", "iproute2", "logrotate", "sudo", "unzip"}
	nginx := []string{"nginx"}
	if c.OS == "ubuntu-22.04" {
		nginx = append(nginx, "ssl-cert")
	}
	keep := ""
	if c.KeepKeys {
		keep = "yes"
	}
	all := []step{
		{name: "tools", function: "base", packages: base, variables: []variable{words("base_packages", base)}},
		{name: "SSH", function: "sshd", variables: []variable{
			word("login_user", c.LoginUser), word("control_key", c.ControlKey), word("keep_keys", keep),
		}},
		{name: "users", function: "users", packages: []string{"libpam-systemd"}},
		{name: "firewall", function: "firewall", packages: []string{"ufw"}, variables: []variable{number("ssh_port", c.SSHPort)}},
		{name: "metadata", function: "metadata", packages: []string{"nftables"}},
		{name: "nginx", function: "nginx", packages: nginx, variables: []variable{words("nginx_packages", nginx)}},
	}
	add := func(when bool, s step) {
		if when {
			all = append(all, s)
		}
	}
	all = append(all, c.installPHP()...)
	all = append(all, c.installDatabase()...)
	add(c.Redis, step{name: "Redis", function: "redis", packages: []string{"redis-server"}})
	add(c.Composer && c.Source == Distro, step{name: "Composer", function: "composer", packages: []string{"composer"}})
	add(c.Composer && c.Source == Upstream, step{name: "Composer", function: "composer_upstream"})
	node := c.nodePackages()
	add(c.Node != "", step{name: "Node " + c.Node, function: "node", args: []string{c.Node}, packages: node, variables: []variable{words("node_packages", node)}})
	add(c.Supervisor, step{name: "supervisor", function: "supervisor", packages: []string{"supervisor"}})
	add(c.UnattendedUpgrades, step{name: "unattended upgrades", function: "unattended", packages: []string{"unattended-upgrades"}})
	return all
}

func (c Config) installPHP() []step {
	var all []step
	for i, version := range c.PHP {
		s := php(version, i == 0)
		if i == 0 {
			s.variables = []variable{words("php_extensions", phpExtensions())}
		}
		all = append(all, s)
	}
	return all
}

func phpExtensions() []string {
	return []string{
		"fpm", "cli", "common", "mysql", "pgsql", "sqlite3", "redis", "curl", "gd",
		"mbstring", "xml", "zip", "bcmath", "intl", "readline",
	}
}

// php installs a version of PHP, which may be the default of the command line.
func php(version string, standard bool) step {
	s := step{name: "PHP " + version, function: "php", args: []string{version}}
	if standard {
		s.args = append(s.args, "default")
	}
	for _, extension := range phpExtensions() {
		s.packages = append(s.packages, "php"+version+"-"+extension)
	}
	return s
}

func (c Config) installDatabase() []step {
	s := step{function: c.Database, packages: []string{c.Database + "-server"}}
	switch c.Database {
	case MariaDB:
		s.name, s.function, s.args = "MariaDB", "mysql", []string{MariaDB}
	case MySQL:
		s.name, s.args = "MySQL", []string{MySQL}
	case PostgreSQL:
		s.name, s.packages = "PostgreSQL", []string{"postgresql"}
		if c.Source == Upstream {
			s.packages = []string{"postgresql-" + c.DatabaseVersion}
		}
	default:
		return nil
	}
	s.variables = []variable{words("database_packages", s.packages)}
	return []step{s}
}

func (c Config) nodePackages() []string {
	if c.Source == Upstream {
		return []string{"nodejs"} // has npm in it
	}
	return []string{"nodejs", "npm"}
}

// files returns the names of the files of the script, without their ending.
func (c Config) files(steps []step) []string {
	names := []string{"runner", "files", "apt"}
	if c.Database != "" || c.Redis {
		names = append(names, "password")
	}
	for _, s := range steps {
		if !slices.Contains(names, s.function) {
			names = append(names, s.function)
		}
	}
	return names
}
