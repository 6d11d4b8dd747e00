package webhook

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// Change is what a push did to a ref.
type Change struct {
	Ref     string // as "refs/heads/main"; empty where the push changed nothing
	Commit  string // that the ref is at now
	Deleted bool
}

// check refuses what no git repository has.
func (c *Change) check() error {
	if c.Ref == "" {
		*c = Change{}
		return nil
	}
	if !strings.HasPrefix(c.Ref, "refs/") {
		return malformed("ref must begin with refs/")
	}
	if strings.ContainsFunc(c.Ref, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsGraphic(r) }) {
		return malformed("ref must be printable")
	}
	if c.Deleted {
		c.Commit = ""
		return nil
	}
	if raw, err := hex.DecodeString(c.Commit); err != nil || len(raw) != 20 && len(raw) != 32 {
		return malformed("the commit must have 40 or 64 hex digits")
	}
	c.Commit = strings.ToLower(c.Commit)
	if strings.Trim(c.Commit, "0") == "" {
		c.Commit, c.Deleted = "", true
	}
	return nil
}

// layout reads a body in the form that a system gives it. It returns the change
// of the ref, if there is one, or else the first.
type layout func(s *scanner, ref string) (Change, error)

// oneRef is the form of GitHub, GitLab, Gitea and Forgejo.
func oneRef(s *scanner, _ string) (c Change, err error) {
	_, err = s.pick([]string{"ref", "after", "deleted"}, func(name string) (err error) {
		switch name {
		case "ref":
			c.Ref, err = s.text(name)
		case "after":
			c.Commit, err = s.text(name)
		case "deleted":
			c.Deleted, err = s.boolean(name)
		}
		return err
	})
	if err == nil && c.Ref == "" {
		err = malformed("ref is missing")
	}
	if err == nil && c.Commit == "" {
		err = malformed("after is missing")
	}
	return c, err
}

// cloudChanges is the form of Bitbucket's cloud.
func cloudChanges(s *scanner, ref string) (c Change, err error) {
	there := false
	_, err = s.pick([]string{"push"}, func(string) error {
		_, err := s.pick([]string{"changes"}, func(string) error {
			there = true
			return s.array(func() error {
				var before, after Change
				_, err := s.pick([]string{"old", "new"}, func(name string) (err error) {
					if name == "old" {
						before, err = s.target()
					} else {
						after, err = s.target()
					}
					return err
				})
				if after.Ref == "" {
					after = Change{Ref: before.Ref, Deleted: true}
				}
				c.prefer(after, ref)
				return err
			})
		})
		return err
	})
	if err == nil && !there {
		err = malformed("push.changes is missing")
	}
	return c, err
}

// target reads the new or the old state of a ref in a body of Bitbucket's cloud.
func (s *scanner) target() (c Change, err error) {
	kind, name := "", ""
	there, err := s.pick([]string{"type", "name", "target"}, func(field string) (err error) {
		switch field {
		case "type":
			kind, err = s.text(field)
		case "name":
			name, err = s.text(field)
		case "target":
			_, err = s.pick([]string{"hash"}, func(field string) (err error) {
				c.Commit, err = s.text(field)
				return err
			})
		}
		return err
	})
	switch {
	case err != nil || !there:
	case name == "":
		err = malformed("a change has no name")
	case kind == "branch":
		c.Ref = "refs/heads/" + name
	default:
		c.Ref = "refs/tags/" + name
	}
	return c, err
}

// serverChanges is the form of Bitbucket Data Center.
func serverChanges(s *scanner, ref string) (c Change, err error) {
	there := false
	_, err = s.pick([]string{"changes"}, func(string) error {
		there = true
		return s.array(func() error {
			var change Change
			_, err := s.pick([]string{"ref", "toHash", "type"}, func(name string) (err error) {
				switch name {
				case "ref":
					_, err = s.pick([]string{"id"}, func(field string) (err error) {
						change.Ref, err = s.text(field)
						return err
					})
				case "toHash":
					change.Commit, err = s.text(name)
				case "type":
					var kind string
					kind, err = s.text(name)
					change.Deleted = kind == "DELETE"
				}
				return err
			})
			c.prefer(change, ref)
			return err
		})
	})
	if err == nil && !there {
		err = malformed("changes is missing")
	}
	return c, err
}

// prefer keeps a change of the ref, the last one of several, or else the first.
func (c *Change) prefer(other Change, ref string) {
	if c.Ref == "" || other.Ref == ref {
		*c = other
	}
}

func malformed(rule string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(rule, args...))
}
