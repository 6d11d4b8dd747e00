package sshexec

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
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
	maxHere    = 60 << 10 // a pipe holds 64 KiB, and a shell uses a file for more
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// tokenName is the variable by which stop.pl finds a command's processes.
	tokenName = "FORGE_COMMAND"
)

var (
	//go:embed fence.pl
	fenceSource string
	//go:embed child.pl
	childSource string
)

// fencedCommand is perl source that runs a command under a fence: its arguments
// are key, epoch, mark and the command.
func fencedCommand() string { return fenceSource + childSource }

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
// token marks the processes, the mark what fence.pl says.
func (c Command) line(login, token, mark string) (string, error) {
	as, argv := c.user(), c.interpreter(token, "")
	if c.Fence.Key != "" {
		// The fence is root's, whoever runs the script.
		fence := []string{c.Fence.Key, strconv.FormatInt(c.Fence.Epoch, 10), mark}
		if c.Perl && as == "root" {
			argv = c.interpreter(token, fenceSource, fence...)
		} else {
			argv = slices.Concat([]string{"perl", "-e", fencedCommand(), "--"}, fence, asUser("root", as, argv))
		}
		as = "root"
	}
	line := loginLine(token, asUser(login, as, argv))
	if c.Perl || c.Fence.Key != "" {
		// It has nothing of the server's locales, nor complains of them.
		line = "export PERL_SKIP_LOCALE_INIT=1; " + line
	}
	if len(line) > maxExec {
		return "", ErrTooLarge
	}
	return line, nil
}

// interpreter runs the script after first, which is perl source and takes the
// given arguments. The script begins on a line 1, so that messages have its
// line numbers.
func (c Command) interpreter(token, first string, args ...string) []string {
	user := c.user()
	if c.Perl {
		prelude := fmt.Sprintf("BEGIN { @ENV{qw(PATH LC_ALL USER LOGNAME %s HOME)} = (qw(%s C.UTF-8 %s %s %s), (getpwuid $>)[7] // '/'); delete $ENV{PERL_SKIP_LOCALE_INIT}; chdir $ENV{HOME} or chdir '/' }\n#line 1 \"script\"\n",
			tokenName, searchPath, user, user, token)
		return slices.Concat([]string{"perl", "-e", first + prelude + c.Script, "--"}, args, c.Args)
	}
	prelude := fmt.Sprintf("export PATH=%s LC_ALL=C.UTF-8 USER=%s LOGNAME=%s %s=%s; unset HOME; HOME=~; export HOME; cd 2>/dev/null || cd /; ",
		searchPath, user, user, tokenName, token)
	return slices.Concat([]string{"bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", prelude + c.Script, "forge"}, c.Args)
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
	line := fmt.Sprintf("unset BASH_ENV ENV PERL5OPT PERL5LIB PERLLIB PERLIO PERL_UNICODE; export PATH=%s %s=%s; exec ",
		searchPath, tokenName, token)
	if argv[0] == "perl" && len(argv[2]) <= maxHere {
		// As a here-document: a shell reads what is quoted character by
		// character, which takes longer than perl.
		return line + fmt.Sprintf("perl /dev/fd/3 %s 3<<'%s'\n%s\n%s\n", quoteAll(argv[4:]), token, argv[2], token)
	}
	return line + quoteAll(argv)
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// quote makes s one word of any POSIX shell. syntax.Quote does not do here: it
// writes a newline as $'\n', which dash, as a login shell, does not know.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
