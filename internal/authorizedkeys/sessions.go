package authorizedkeys

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Sessions are the live SSH sessions of a user that were opened with certain keys,
// by the log of sshd. Where logind keeps the sessions, all that was started in one
// belongs to it, also what was to outlive it.
type Sessions struct {
	User         string
	Fingerprints []string // as "SHA256:..."
}

// Command returns the command that ends the sessions, but never that in which it
// runs itself. [Ended] reads its output, also when it failed, and [Explain] its
// failure: ErrNoLog when there are sessions whose key is not known.
func (s Sessions) Command() (sshexec.Command, error) {
	if !userPattern.MatchString(s.User) {
		return sshexec.Command{}, fmt.Errorf("authorized keys: %q is not the name of a unix user", s.User)
	}
	if len(s.Fingerprints) == 0 {
		return sshexec.Command{}, errors.New("authorized keys: name the keys whose sessions are to end")
	}
	for _, f := range s.Fingerprints {
		if !fingerprintPattern.MatchString(f) {
			return sshexec.Command{}, fmt.Errorf("authorized keys: %q is not a SHA256 fingerprint", f)
		}
	}
	return sshexec.Command{Perl: true, Script: failures + common + sessions, Args: append([]string{s.User}, s.Fingerprints...)}, nil
}

// Ended reads how many sessions a command of Sessions ended.
func Ended(stdout []byte) (int, error) {
	text, ok := strings.CutPrefix(string(stdout), "ended ")
	n, err := strconv.Atoi(strings.TrimSuffix(text, "\n"))
	if !ok || err != nil || n < 0 {
		return 0, errAnswer
	}
	return n, nil
}
