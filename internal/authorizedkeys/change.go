package authorizedkeys

import (
	"bytes"
	"fmt"

	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// Change is a change of the keys that open a user's account. A key is known by
// its key material, not by its ID: Add leaves a key that is there already,
// and Remove removes each line with it.
type Change struct {
	User   string // unix user, which has to exist
	Add    []Key
	Remove []string // lines in authorized_keys format
	// Unknown also removes every key that is not in Add, unless it is in Keep or
	// its comment has the word Unmanaged. Comments, and what is no key, stay.
	Unknown bool
	Keep    []string // lines in authorized_keys format
	// Home chooses ~/.ssh/authorized_keys, which is changed as the user. By
	// default it is root's own /etc/ssh/authorized_keys.d/USER, which is for
	// servers whose sshd reads only that.
	Home bool
}

// Command returns the command that makes the whole change in one step.
// [Outcomes] reads its output and [Explain] its failure.
func (c Change) Command() (sshexec.Command, error) { return Changes{c}.Command() }

// Changes are changes of several users on one server, each made in one step. The
// trouble of one does not keep the others from theirs.
type Changes []Change

// Command returns the command that makes the changes. [Outcomes] reads its output,
// also when it failed, and [Explain] says how the first that failed did.
func (cs Changes) Command() (sshexec.Command, error) {
	var edits bytes.Buffer // may be larger than what the arguments of a command hold
	var home, place bool
	for _, c := range cs {
		if err := c.write(&edits); err != nil {
			return sshexec.Command{}, err
		}
		home, place = home || c.Home, place || !c.Home
	}
	return script(editTroubles, editScript, home, place, edits.String()), nil
}

// write writes what edit.pl reads.
func (c Change) write(edits *bytes.Buffer) error {
	if !userPattern.MatchString(c.User) {
		return fmt.Errorf("authorized keys: %q is not the name of a unix user", c.User)
	}
	which := "known"
	if c.Unknown {
		which = "all"
	}
	fmt.Fprintf(edits, "user %s %s %s\n", c.User, where(c.Home), which)
	for _, line := range c.Remove {
		key, err := parse(line)
		if err != nil {
			return err
		}
		fmt.Fprintf(edits, "remove %s\n", key)
	}
	for _, k := range c.Add {
		key, err := validate.PublicKey("key", k.Line)
		if err != nil {
			return fmt.Errorf("authorized keys: %w", err)
		}
		if !idPattern.MatchString(k.ID) || "forge:"+k.ID == Unmanaged {
			return fmt.Errorf("authorized keys: id %q must be lower-case letters, digits and dashes", k.ID)
		}
		fmt.Fprintf(edits, "add %s forge:%s\n", key.Line, k.ID)
	}
	for _, line := range c.Keep {
		key, err := parse(line)
		if err != nil {
			return err
		}
		fmt.Fprintf(edits, "keep %s\n", key)
	}
	return nil
}

func where(home bool) string {
	if home {
		return "home"
	}
	return "root"
}
