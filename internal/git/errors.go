package git

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Outcome says why git did not reach what it was asked for.
type Outcome string

// The outcomes.
const (
	AccessRefused  Outcome = "access refused"           // the key is not accepted, or there is no such repository
	BranchMissing  Outcome = "branch missing"           // the repository has no such branch
	CommitMissing  Outcome = "commit missing"           // the branch has no such commit
	HostKeyUnknown Outcome = "host key unknown"         // the git server's key has to be given
	HostKeyChanged Outcome = "host key changed"         // the git server shows another key
	Unreachable    Outcome = "git server not reachable" // no such host, no answer, too slow: another try makes sense
	Failed         Outcome = "git failed"               // for another reason
)

// Error is the failure of a git command.
type Error struct {
	Outcome Outcome
	Detail  string // what git said, at most 4 KiB of the git server's and git's text
	Err     error
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Outcome)
	}
	return fmt.Sprintf("%s: %s", e.Outcome, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// Explain makes an *Error of an *sshexec.ExitError of CheckAccess or Fetch. It
// returns every other error as it is.
func Explain(err error) error {
	var exit *sshexec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	return &Error{Outcome: outcome(exit), Detail: strings.TrimSpace(exit.Stderr), Err: err}
}

// signs are what git, ssh and curl say in the C locale, and what the large git
// servers say through them. The first one found decides.
var signs = []struct {
	text    string
	outcome Outcome
}{
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", HostKeyChanged},
	{"Host key verification failed", HostKeyUnknown},
	{"couldn't find remote ref", BranchMissing},
	{"Permission denied (", AccessRefused},
	{"Too many authentication failures", AccessRefused},
	{"epository not found", AccessRefused},
	{"does not appear to be a git repository", AccessRefused},
	{"could not be found or you don't have permission", AccessRefused},
	{"does not exist or you do not have access", AccessRefused},
	{"could not read Username", AccessRefused},
	{"Authentication failed", AccessRefused},
	{"returned error: 401", AccessRefused},
	{"returned error: 403", AccessRefused},
	{"returned error: 404", AccessRefused},
	{"' not found", AccessRefused}, // "fatal: repository 'https://...' not found"
	{"Could not resolve host", Unreachable},
	{"Connection refused", Unreachable},
	{"Connection timed out", Unreachable},
	{"Connection reset", Unreachable},
	{"Connection closed", Unreachable},
	{"Failed to connect", Unreachable},
	{"Operation timed out", Unreachable},
	{"Operation too slow", Unreachable},
	{"No route to host", Unreachable},
	{"Network is unreachable", Unreachable},
	{"not responding", Unreachable},
	{"returned error: 5", Unreachable},
}

func outcome(exit *sshexec.ExitError) Outcome {
	switch exit.ExitCode {
	case 90: // of fetch.sh
		return CommitMissing
	case 124, 137: // of timeout
		return Unreachable
	}
	for _, sign := range signs {
		if strings.Contains(exit.Stderr, sign.text) {
			return sign.outcome
		}
	}
	return Failed
}
