package stack

// offer is what a distribution's own packages give.
type offer struct {
	codename  string
	php       string
	node      string
	databases map[string][]string // versions by server, the default first
}

// offers returns the supported systems.
func offers() map[string]offer {
	return map[string]offer{
		"debian-12": {"bookworm", "8.2", "18", map[string][]string{
			MariaDB: {"10.11"}, PostgreSQL: {"15"},
		}},
		"debian-13": {"trixie", "8.4", "20", map[string][]string{
			MariaDB: {"11.8"}, PostgreSQL: {"17"},
		}},
		"ubuntu-22.04": {"jammy", "8.1", "12", map[string][]string{
			MySQL: {"8.0"}, MariaDB: {"10.6"}, PostgreSQL: {"14"},
		}},
		"ubuntu-24.04": {"noble", "8.3", "18", map[string][]string{
			MySQL: {"8.0"}, MariaDB: {"10.11"}, PostgreSQL: {"16"},
		}},
	}
}

// php returns the versions of PHP that the config can have.
func (c Config) php() []string {
	if c.Source == Upstream {
		return []string{"8.1", "8.2", "8.3", "8.4", "8.5"}
	}
	return []string{offers()[c.OS].php}
}

// node returns the major versions of Node that the config can have.
func (c Config) node() []string {
	if c.Source == Upstream {
		return []string{"18", "20", "22", "24"}
	}
	return []string{offers()[c.OS].node}
}

// databases returns the versions by server that the config can have, the
// default first. MariaDB is the distribution's with either source.
func (c Config) databases() map[string][]string {
	own := offers()[c.OS].databases
	if c.Source != Upstream {
		return own
	}
	mysql := []string{"8.4", "8.0"}
	if c.OS == "debian-13" {
		mysql = mysql[:1]
	}
	return map[string][]string{
		MySQL:      mysql,
		MariaDB:    own[MariaDB],
		PostgreSQL: {"17", "18", "16", "15", "14"},
	}
}
