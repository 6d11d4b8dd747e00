package authorizedkeys

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Read asks for files of keys: of at most 256, each of at most 1 MiB, and 4 MiB in
// all.
type Read struct {
	// Home chooses ~/.ssh/authorized_keys, which is read as the user. By default
	// it is root's /etc/ssh/authorized_keys.d/USER.
	Home bool
	// Users are those whose files are read. Defaults to all who have one in
	// root's place; where Home is, there is no default.
	Users []string
}

const (
	maxFiles   = 256
	maxListing = 4<<20 + maxFiles<<11 // with what else is said of each
)

// Command returns the command that prints the files, and the listing that takes
// what it prints. [Explain] reads its failure.
func (r Read) Command() (sshexec.Command, *Listing, error) {
	var asked bytes.Buffer
	if len(r.Users) > maxFiles {
		return sshexec.Command{}, nil, fmt.Errorf("authorized keys: read at most %d users at once", maxFiles)
	}
	for _, user := range r.Users {
		if !userPattern.MatchString(user) {
			return sshexec.Command{}, nil, fmt.Errorf("authorized keys: %q is not the name of a unix user", user)
		}
		fmt.Fprintf(&asked, "user %s %s\n", user, where(r.Home))
	}
	if len(r.Users) == 0 {
		if r.Home {
			return sshexec.Command{}, nil, errors.New("authorized keys: name the users whose homes are to be read")
		}
		asked.WriteString("all\n")
	}
	listing := &Listing{}
	cmd := script(failures, readScript, r.Home, !r.Home, asked.String())
	cmd.Stdout = listing
	return cmd, listing, nil
}

// File is a user's file of keys.
type File struct {
	User  string
	There bool
	Lines []Line // those with a key
	Err   error  // one of this package's errors, when it could not be read
}

// Listing takes what a command of Read prints.
type Listing struct{ text []byte }

// Write keeps what the server prints, and refuses what is more than it can be.
func (l *Listing) Write(p []byte) (int, error) {
	if len(l.text)+len(p) > maxListing {
		return 0, errors.New("authorized keys: the server's answer is too long")
	}
	l.text = append(l.text, p...)
	return len(p), nil
}

// What sshd may look for, in root's place: more than forge itself would make.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

// Files returns the files, and how many there are more than can be read at once.
func (l *Listing) Files() (files []File, more int, err error) {
	rest := string(l.text)
	for len(files) <= maxFiles {
		entry, after, ok := strings.Cut(rest, "\n")
		if !ok {
			break // cut off
		}
		rest = after
		what, entry, _ := strings.Cut(entry, " ")
		if what == "end" && rest == "" {
			return files, more, nil
		}
		if what == "more" {
			if more, err = strconv.Atoi(entry); err != nil || more < 0 {
				break
			}
			continue
		}
		user, entry, _ := strings.Cut(entry, " ")
		if !namePattern.MatchString(user) {
			break
		}
		f := File{User: user}
		switch what {
		case "none":
		case "failed":
			f.Err = failure(entry)
		case "file":
			size, err := strconv.Atoi(entry)
			if err != nil || size < 0 || size >= len(rest) {
				return nil, 0, errAnswer
			}
			f.There, f.Lines = true, parseLines(rest[:size])
			rest = rest[size+1:]
		default:
			return nil, 0, errAnswer
		}
		files = append(files, f)
	}
	return nil, 0, errAnswer
}

func parseLines(text string) []Line {
	var lines []Line
	number := 0
	for text := range strings.Lines(text) {
		number++
		if line, ok := parseLine(strings.TrimSuffix(text, "\n")); ok {
			line.Number = number
			lines = append(lines, line)
		}
	}
	return lines
}
