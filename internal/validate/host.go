package validate

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

const (
	maxHost  = 253 // bytes of a host name, as RFC 1123 has it
	maxLabel = 63  // bytes of a label in it
)

// MaxAliases is how many aliases a site can have.
const MaxAliases = 100

// numeric matches a last label that makes resolvers read a name as an IPv4
// address: 127.1 and 0x7f.1 are addresses to them.
var numeric = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)

// toASCII is strict: it maps case and width, and refuses everything that
// could not be registered.
var toASCII = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(true),
	idna.CheckHyphens(true),
	idna.CheckJoiners(true),
	idna.BidiRule(),
)

// ServerName checks the host name of a server by RFC 1123, and folds it to
// lower case.
func ServerName(field, value string) (string, error) {
	name := lower(value)
	if rule := hostRule(name); rule != "" {
		return "", broken(field, value, "%s", rule)
	}
	return name, nil
}

// Domain checks the domain of a site. Upper case is folded, an international
// name becomes punycode, and a dot at its end is removed.
func Domain(field, value string) (string, error) {
	if value == "" {
		return "", hidden(field, required)
	}
	if len(value) > 4*maxHost { // what IDNA makes of it is never that much shorter
		return "", hidden(field, "must have at most %d characters", maxHost)
	}
	refuse := func(rule string) (string, error) { return "", broken(field, value, "%s", rule) }
	if strings.Contains(value, "*") {
		return refuse("must not be a wildcard")
	}
	if _, err := netip.ParseAddr(strings.Trim(value, "[]")); err == nil {
		return refuse("must not be an IP address")
	}
	name := lower(value)
	if !isASCII(value) {
		var err error
		if name, err = toASCII.ToASCII(value); err != nil {
			return refuse("must be a valid international domain name")
		}
	}
	name = strings.TrimSuffix(name, ".")
	if rule := hostRule(name); rule != "" {
		return refuse(rule)
	}
	// Names in punycode, and those with dashes where punycode has them.
	if again, err := toASCII.ToASCII(name); err != nil || again != name {
		return refuse("must be a valid international domain name")
	}
	if !strings.Contains(name, ".") {
		return refuse("must have a dot, as example.com")
	}
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
		return refuse("must not be a public suffix, under which others register names")
	}
	return name, nil
}

// Aliases checks the further domains of a site: each as Domain does, none
// twice and none the domain itself.
func Aliases(field, domain string, values []string) ([]string, error) {
	if len(values) > MaxAliases {
		return nil, hidden(field, "must be at most %d", MaxAliases)
	}
	var names []string
	for i, value := range values {
		at := fmt.Sprintf("%s[%d]", field, i)
		name, err := Domain(at, value)
		switch {
		case err != nil:
			return nil, err
		case name == domain:
			return nil, broken(at, value, "must not be the domain itself")
		case slices.Contains(names, name):
			return nil, broken(at, value, "must not be given twice")
		}
		names = append(names, name)
	}
	return names, nil
}

// Address checks where a machine is reached: an IP address, without a zone, or
// a host name.
func Address(field, value string) (string, error) {
	if addr, err := netip.ParseAddr(value); err == nil {
		if addr.Zone() != "" {
			return "", broken(field, value, "must not have a zone")
		}
		return addr.Unmap().String(), nil
	}
	name := lower(value)
	if rule := hostRule(name); rule != "" {
		return "", broken(field, value, "%s", rule)
	}
	return name, nil
}

// Port checks the number of a TCP port.
func Port(field string, value int) (int, error) {
	if value < 1 || value > 65535 {
		return 0, hidden(field, "must be a port between 1 and 65535")
	}
	return value, nil
}

// hostRule returns the rule that a host name in lower case breaks, or nothing.
func hostRule(name string) string {
	switch {
	case name == "":
		return required
	case len(name) > maxHost:
		return fmt.Sprintf("must have at most %d characters", maxHost)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		switch {
		case label == "":
			return "must not have an empty label"
		case strings.ContainsFunc(label, notHost):
			return "must have only letters, digits, dashes and dots"
		case len(label) > maxLabel:
			return fmt.Sprintf("must have at most %d characters between dots", maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return "must not begin or end a label with a dash"
		}
	}
	if numeric.MatchString(labels[len(labels)-1]) {
		return "must not be an IP address"
	}
	return ""
}

// notHost reports whether a character has no place in a label.
func notHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

// lower folds ASCII alone: strings.ToLower makes a k of the sign for Kelvin.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
