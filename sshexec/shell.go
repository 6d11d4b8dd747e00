package sshexec

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	// ErrTooLarge says that script and arguments do not fit into an exec
	// request: the kernel takes 128 KiB as one argument. Nothing ran.
	ErrTooLarge = errors.New("script and arguments are larger than 100 KiB: upload them as a file, or start a detached run")
	// ErrInvalid says that a value of a command or a transfer breaks a rule.
	// Nothing ran.
	ErrInvalid = errors.New("invalid")
)

const (
	maxExec    = 100 << 10
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// tokenName is the variable by which stop.sh finds a command's processes.
	tokenName = "FORGE_COMMAND"
)

//go:embed fence.sh
var fenceScript string

var (
	userRule  = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	fenceRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
)

func checkUser(name string) error {
	if !userRule.MatchString(name) {
		return fmt.Errorf("%w: user %q: a unix user name has 1 to 32 lower-case letters, digits, dashes and underscores", ErrInvalid, name)
	}
	return nil
}

func (c Command) check() error {
	if err := checkUser(c.user()); err != nil {
		return err
	}
	if c.Fence.Key != "" && !fenceRule.MatchString(c.Fence.Key) {
		return fmt.Errorf("%w: fence %q: a key has 1 to 64 letters, digits and dashes", ErrInvalid, c.Fence.Key)
	}
	if c.Fence.Epoch < 0 {
		return fmt.Errorf("%w: fence epoch %d is negative", ErrInvalid, c.Fence.Epoch)
	}
	for _, s := range append([]string{c.Script}, c.Args...) {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("%w: script and arguments cannot have a NUL", ErrInvalid)
		}
	}
	return nil
}

func (c Command) user() string {
	if c.User == "" {
		return "root"
	}
	return c.User
}

// line is the command for the login shell of login, be it dash or bash. The
// token marks the processes, the mark what fence.sh says.
func (c Command) line(login, token, mark string) (string, error) {
	user := c.user()
	// The script begins on the first line, so that messages of bash have its
	// line numbers.
	prelude := fmt.Sprintf("export PATH=%s LC_ALL=C.UTF-8 USER=%s LOGNAME=%s %s=%s; unset HOME; HOME=~; export HOME; cd 2>/dev/null || cd /; ",
		searchPath, user, user, tokenName, token)
	argv := append([]string{"bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", prelude + c.Script, "forge"}, c.Args...)
	as := user
	if c.Fence.Key != "" {
		// The fence is root's, whoever runs the script.
		argv = append([]string{"bash", "--noprofile", "--norc", "-c", fenceScript, "forge",
			c.Fence.Key, strconv.FormatInt(c.Fence.Epoch, 10), mark}, asUser("root", user, argv)...)
		as = "root"
	}
	line := loginLine(token, asUser(login, as, argv))
	if len(line) > maxExec {
		return "", ErrTooLarge
	}
	return line, nil
}

// asUser makes argv run as user when started by login.
func asUser(login, user string, argv []string) []string {
	switch login {
	case user:
		return argv
	case "root":
		return append([]string{"runuser", "-u", user, "--"}, argv...)
	default:
		return append([]string{"sudo", "-n", "-H", "-u", user, "--"}, argv...)
	}
}

func loginLine(token string, argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quote(word)
	}
	return fmt.Sprintf("unset BASH_ENV ENV; export PATH=%s %s=%s; exec %s", searchPath, tokenName, token, strings.Join(words, " "))
}

// quote makes s one word of any POSIX shell. syntax.Quote does not do here: it
// writes a newline as $'\n', which dash, as a login shell, does not know.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
