package authorizedkeys

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// The parts of the scripts. A script begins with common.
var (
	//go:embed common.pl
	commonSource string
	//go:embed home.pl
	homeSource string
	//go:embed place.pl
	placeSource string
	//go:embed swift.pl
	swiftSource string
	//go:embed edit.pl
	editSource string
	//go:embed content.pl
	contentSource string
	//go:embed read.pl
	readSource string
	//go:embed sessions.pl
	sessionsSource string
)

// What of them is seldom needed.
var (
	//go:embed failures.pl
	failuresSource string
	//go:embed answer.pl
	answerSource string
	//go:embed files.pl
	filesSource string
	//go:embed lines.pl
	linesSource string
	//go:embed others.pl
	othersSource string
)

var (
	common, inHome, inPlace          = compact(commonSource), compact(homeSource), compact(placeSource)
	editScript, readScript, sessions = compact(swiftSource + editSource), compact(contentSource + readSource), compact(sessionsSource)

	failures     = seldom(failuresSource)
	editTroubles = seldom(failuresSource + contentSource + filesSource + linesSource + othersSource + answerSource)
)

// seldom is perl that is compiled when one of its functions is called: see common.pl.
func seldom(source string) string {
	return "our $seldom = <<'SELDOM';\n" + compact(source) + "SELDOM\n"
}

// compact leaves away indents and comments: a server is sent the script with each
// command, and its shell and perl read all of it.
func compact(source string) string { return unread.ReplaceAllString(source, "") }

var unread = regexp.MustCompile(`(?m)^\s*#.*\n|^\s+| {4}# .*$`)

// maxWords is how much input goes with a script itself, in bytes. More of it is
// sent when the command has begun, a round trip later.
const maxWords = 16 << 10

// script joins the parts of a perl script that a command needs: perl compiles all
// that it is given, but for what is seldom. The input is its argument, or what it
// reads.
func script(seldom, main string, home, place bool, input string) sshexec.Command {
	parts := seldom + common
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
