package authorizedkeys

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

var (
	//go:embed common.pl
	commonSource string
	//go:embed home.pl
	homeSource string
	//go:embed place.pl
	placeSource string
	//go:embed edit.pl
	editSource string
	//go:embed read.pl
	readSource string
	//go:embed sessions.pl
	sessionsSource string

	common, inHome, inPlace          = compact(commonSource), compact(homeSource), compact(placeSource)
	editScript, readScript, sessions = compact(editSource), compact(readSource), compact(sessionsSource)
)

// compact leaves away indents and comments: a server is sent the script with each
// command, and its shell and perl read all of it.
func compact(source string) string {
	unread := regexp.MustCompile(`(?m)^\s*#.*\n|^\s+| {4}# .*$`)
	return unread.ReplaceAllString(source, "")
}

// maxWords is how much input goes with a script itself, in bytes. More of it is
// sent when the command has begun, a round trip later.
const maxWords = 16 << 10

// script joins the parts of a perl script that a command needs: perl compiles all
// that it is given. The input is its argument, or what it reads.
func script(main string, home, place bool, input string) sshexec.Command {
	parts := common
	if home {
		parts += inHome
	}
	if place {
		parts += inPlace
	}
	cmd := sshexec.Command{Perl: true, Script: parts + main}
	if len(input) <= maxWords {
		cmd.Args = []string{input}
	} else {
		cmd.Stdin = strings.NewReader(input)
	}
	return cmd
}
