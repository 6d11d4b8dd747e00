package stack

import (
	"bytes"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/userprocs"
)

// Remove returns the script, for an attached command of root's, that takes away
// from a server what the stack made and changed, but for the login. Packages,
// databases, the firewall, the sources of packages and the time zone stay.
func Remove() (string, error) {
	script, err := removal(nil, "files", "remove")
	return userprocs.Script() + script, err
}

// RemoveLogin returns the script that comes after it: sshd takes the keys in the
// homes of users again, and no longer the control key of the config and those that
// have been one, lines of authorized_keys. It fails, and changes nothing, where that
// would let nobody in, unless it is forced.
func RemoveLogin(c Config, force bool, others ...string) (string, error) {
	if force {
		return removeLogin(c, "force", others)
	}
	return removeLogin(c, "remove", others)
}

// CheckLogin returns a script that fails where [RemoveLogin] would be refused,
// and changes nothing.
func CheckLogin(c Config, others ...string) (string, error) { return removeLogin(c, "check", others) }

func removeLogin(c Config, mode string, others []string) (string, error) {
	c = c.Normalize()
	var blobs []string
	for _, c.ControlKey = range append([]string{c.ControlKey}, others...) {
		if err := c.checkLogin(); err != nil {
			return "", err
		}
		blobs = append(blobs, strings.Fields(c.ControlKey)[1])
	}
	return removal([]variable{
		word("login_user", c.LoginUser), word("blob", strings.Join(blobs, "\n")), word("mode", mode),
	}, "files", "gets_in", "remove_login")
}

// CheckBare returns a script that fails where nobody would get in to a server on
// which nothing was installed without the keys whose lines have one of these words.
func CheckBare(login string, words []string) (string, error) {
	return removal([]variable{word("login_user", login), word("blob", strings.Join(words, "\n"))}, "gets_in", "check_bare")
}

func removal(variables []variable, names ...string) (string, error) {
	var b bytes.Buffer
	b.WriteString("export LC_ALL=C.UTF-8\numask 022\ncd /\n")
	err := writeScript(&b, variables, names)
	return b.String(), err
}
