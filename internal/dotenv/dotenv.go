// Package dotenv writes environment files that those who read them read alike.
//
// Names and values come back as they were, whatever text the values are, from
// vlucas/phpdotenv and symfony/dotenv, and from bash, where a carriage return
// alone comes back as the two characters \r. Python's, node's and Ruby's dotenv
// read what is set in single quotes, but for backslashes and ${}; in double
// quotes Ruby's runs what is in $(). Symfony takes no name that begins with two
// underscores, or with one and a digit.
package dotenv

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Var is a variable of an environment.
type Var struct{ Name, Value string }

// Header is the first line of every file.
const Header = "# Written by forge, which replaces the whole file.\n"

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsName reports whether a variable can have this name.
func IsName(name string) bool {
	for _, h := range helpers {
		if h.Name == name {
			return false
		}
	}
	return namePattern.MatchString(name)
}

// helpers are variables whose values are characters that have no spelling in
// double quotes which all readers share. Only those that are used are written.
var helpers = []Var{
	{"FORGE_BACKSLASH", `\`},
	{"FORGE_DOLLAR", "$"},
	{"FORGE_BACKTICK", "`"},
	{"FORGE_EQUALS", "="},
}

// Marshal returns the file of an environment, in its order.
func Marshal(vars []Var) ([]byte, error) {
	var body bytes.Buffer
	for _, v := range vars {
		if !IsName(v.Name) {
			return nil, fmt.Errorf("environment: %q cannot be the name of a variable", v.Name)
		}
		if strings.Contains(v.Value, "\x00") || !utf8.ValidString(v.Value) {
			return nil, fmt.Errorf("environment: the value of %s is not text in UTF-8 without NUL", v.Name)
		}
		quote := "'"
		if !literal(v.Value) {
			quote = `"`
		}
		body.WriteString(v.Name + "=" + quote + Spelled(v.Value) + quote + "\n")
	}
	file := []byte(Header)
	for _, h := range helpers {
		if bytes.Contains(body.Bytes(), []byte("${"+h.Name+"}")) {
			file = append(file, h.Name+"='"+h.Value+"'\n"...)
		}
	}
	return append(file, body.Bytes()...), nil
}

// literal reports whether the readers take the value as it is in single quotes,
// where phpdotenv takes neither lines nor =" and Symfony no carriage return.
func literal(value string) bool {
	return !strings.ContainsAny(value, "'\r\n") && !strings.Contains(value, `="`)
}

// Spelled is how a value stands in a file, between its quotes.
func Spelled(value string) string {
	if literal(value) {
		return value
	}
	var b strings.Builder
	lines := strings.Contains(value, "\n")
	commands, within := commandEnds(value), 0 // the end of the command that i is in
	for i := range len(value) {
		c, last := value[i], i == len(value)-1
		switch {
		case c == '$' && i >= within && commands[i] > 0:
			// Symfony and Ruby's would run it, also where the dollar came out of a
			// variable, and take the backslash away.
			b.WriteString(`\$`)
			within = commands[i]
		case c == '"':
			b.WriteString(`\"`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\\' && !last && value[i+1] == '\\':
			b.WriteString(`\\`)
		case c == '\\': // Symfony would see an escape in \\n, \\r and \\\"
			b.WriteString("${FORGE_BACKSLASH}")
		case c == '$': // Symfony leaves the backslash of \$ there where no command follows
			b.WriteString("${FORGE_DOLLAR}")
		case c == '`': // bash alone has an escape for it
			b.WriteString("${FORGE_BACKTICK}")
		case c == '=' && last && lines: // phpdotenv would see another value begin
			b.WriteString("${FORGE_EQUALS}")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// commandEnds returns where the commands of a value end, by where they begin: a
// dollar and parentheses that are closed and of which none is empty.
func commandEnds(value string) map[int]int {
	ends := map[int]int{}
	type group struct {
		begin int
		sound bool // what is within it is
	}
	var open []group
	for i := range len(value) {
		switch value[i] {
		case '(':
			open = append(open, group{i, true})
		case ')':
			if len(open) == 0 {
				continue
			}
			g := open[len(open)-1]
			open = open[:len(open)-1]
			g.sound = g.sound && i > g.begin+1
			if !g.sound && len(open) > 0 {
				open[len(open)-1].sound = false
			}
			if g.sound && g.begin > 0 && value[g.begin-1] == '$' {
				ends[g.begin-1] = i + 1
			}
		}
	}
	return ends
}
