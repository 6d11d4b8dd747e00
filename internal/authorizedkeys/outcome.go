package authorizedkeys

import (
	"errors"
	"strconv"
	"strings"
)

// Outcome says what a command of changes did to a user's file.
type Outcome struct {
	User           string
	Added, Removed []Line // without Number, Options and Comment
	Omitted        int    // how many more, when they are too many for an answer
	// Err is one of this package's errors, with the server's words. Nothing of
	// this user was changed then.
	Err error
}

// Changed reports whether the file was changed.
func (o Outcome) Changed() bool { return len(o.Added)+len(o.Removed)+o.Omitted > 0 }

var errAnswer = errors.New("authorized keys: the server's answer is not understood")

// Outcomes reads the output of a command of changes, in their order. Of a command
// that failed it is the output as well, if it has one.
func Outcomes(stdout []byte) ([]Outcome, error) {
	text, ok := strings.CutSuffix(string(stdout), "end\n")
	if !ok {
		return nil, errAnswer // cut off
	}
	var outcomes []Outcome
	for entry := range strings.Lines(text) {
		what, rest, _ := strings.Cut(strings.TrimSuffix(entry, "\n"), " ")
		if what == "user" {
			o, err := begin(rest)
			if err != nil {
				return nil, err
			}
			outcomes = append(outcomes, o)
			continue
		}
		if len(outcomes) == 0 || !outcomes[len(outcomes)-1].add(what, rest) {
			return nil, errAnswer
		}
	}
	return outcomes, nil
}

// add takes up one of the lines that say what was done.
func (o *Outcome) add(what, text string) bool {
	if what == "omitted" {
		n, err := strconv.Atoi(text)
		o.Omitted = n
		return err == nil && n > 0
	}
	line, ok := parseKey(text)
	line.Comment = ""
	switch what {
	case "added":
		o.Added = append(o.Added, line)
	case "removed":
		o.Removed = append(o.Removed, line)
	default:
		return false
	}
	return ok
}

// begin reads "NAME done" or "NAME failed STATUS TEXT".
func begin(text string) (Outcome, error) {
	user, text, _ := strings.Cut(text, " ")
	text, failed := strings.CutPrefix(text, "failed ")
	if !userPattern.MatchString(user) || !failed && text != "done" {
		return Outcome{}, errAnswer
	}
	o := Outcome{User: user}
	if failed {
		o.Err = failure(text)
	}
	return o, nil
}
