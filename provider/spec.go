package provider

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
)

var (
	// An id has to fit in the labels and tags of every cloud.
	specID    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)
	nameLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

const maxName = 253

// Validate checks what needs no question to the provider: ID, Name and
// AuthorizedKey, and that no more options are asked for than p offers. Its error
// wraps ErrInvalid and names the field and the rule. A Create calls it before it
// makes anything.
func (s Spec) Validate(p Properties) error {
	if err := p.Options.Check(s.Options); err != nil {
		return err
	}
	if !specID.MatchString(s.ID) {
		return fmt.Errorf("%w: ID must be 1 to 63 letters, digits, dashes and underscores, with a letter or digit at both ends", ErrInvalid)
	}
	for label := range strings.SplitSeq(s.Name, ".") {
		if len(s.Name) > maxName || !nameLabel.MatchString(label) {
			return fmt.Errorf("%w: Name must be a host name: labels of 1 to 63 letters, digits and inner dashes between dots, at most %d characters", ErrInvalid, maxName)
		}
	}
	if s.AuthorizedKey == "" {
		return nil
	}
	line := strings.TrimSuffix(s.AuthorizedKey, "\n")
	_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || len(options) > 0 || strings.ContainsAny(line, "\r\n\x00") {
		return fmt.Errorf("%w: AuthorizedKey must be one public key, on one line and without options", ErrInvalid)
	}
	return nil
}
