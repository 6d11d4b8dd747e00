package stack

import "slices"

// AddPHP returns the script that adds a version of PHP to a server with the
// config. Its error is that of [Config.Validate] for the config with the
// version.
func AddPHP(c Config, version string) (Script, error) {
	standard := len(c.PHP) == 0
	c.PHP = append(slices.Clone(c.PHP), version)
	c = c.Normalize()
	if err := c.Validate(); err != nil {
		return Script{}, err
	}
	alone := c.packagesOnly()
	alone.PHP = []string{version}
	install := php(version, standard)
	install.variables = []variable{words("php_extensions", phpExtensions())}
	var steps []step
	if sources := alone.sources(); len(sources) > 0 {
		steps = append(steps, step{name: "package sources", function: "sources", variables: []variable{words("sources", sources)}})
	}
	steps = append(steps,
		step{name: "package lists", function: "lists"},
		step{name: "download", function: "download", variables: []variable{words("packages", install.packages)}},
		install)
	return alone.script(steps)
}

// RemovePHP returns the script that takes a version of PHP away from a server
// with the config. Its error is that of [Config.Validate] for the config
// without the version.
func RemovePHP(c Config, version string) (Script, error) {
	c.PHP = slices.DeleteFunc(slices.Clone(c.PHP), func(v string) bool { return v == version })
	c = c.Normalize()
	if err := c.Validate(); err != nil {
		return Script{}, err
	}
	remove := step{name: "remove PHP " + version, function: "remove_php", args: []string{version}}
	if len(c.PHP) > 0 {
		remove.args = append(remove.args, c.PHP[0])
	}
	return c.packagesOnly().script([]step{remove})
}

// packagesOnly keeps what a step needs that installs or removes packages.
func (c Config) packagesOnly() Config {
	return Config{OS: c.OS, Source: c.Source, HTTPProxy: c.HTTPProxy, NoProxy: c.NoProxy}
}
