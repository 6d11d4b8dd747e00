package stack

import "strings"

// sources returns the upstream package sources of the config, as lines of
// "name|URL of the key|ending of the key's file|source".
func (c Config) sources() []string {
	if c.Source != Upstream {
		return nil
	}
	system, _, _ := strings.Cut(c.OS, "-")
	codename := offers()[c.OS].codename
	var lines []string
	add := func(fields ...string) { lines = append(lines, strings.Join(fields, "|")) }
	if len(c.PHP) > 0 && system == "ubuntu" {
		add("php", "https://keyserver.ubuntu.com/pks/lookup?op=get&search=0xB8DC7E53946656EFBCE4C1DD71DAEAAB4AD4CAB6", "asc",
			"https://ppa.launchpadcontent.net/ondrej/php/ubuntu "+codename+" main")
	}
	if len(c.PHP) > 0 && system == "debian" {
		add("php", "https://packages.sury.org/php/apt.gpg", "gpg", "https://packages.sury.org/php/ "+codename+" main")
	}
	if c.Node != "" {
		add("node", "https://deb.nodesource.com/gpgkey/nodesource-repo.gpg.key", "asc",
			"https://deb.nodesource.com/node_"+c.Node+".x nodistro main")
	}
	if c.Database == PostgreSQL {
		add("postgresql", "https://www.postgresql.org/media/keys/ACCC4CF8.asc", "asc",
			"https://apt.postgresql.org/pub/repos/apt "+codename+"-pgdg main")
	}
	if c.Database == MySQL {
		component := "mysql-" + c.DatabaseVersion
		if c.DatabaseVersion != "8.0" {
			component += "-lts"
		}
		add("mysql", "https://repo.mysql.com/RPM-GPG-KEY-mysql-2025", "asc",
			"https://repo.mysql.com/apt/"+system+" "+codename+" "+component)
	}
	return lines
}
