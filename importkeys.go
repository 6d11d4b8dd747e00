package forge

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/internal/validate"
)

// ImportOpts are the options of Keys.Import and Keys.ImportDocument.
type ImportOpts struct {
	// Name is what the name of each key begins with, as that of their user. The
	// key's comment follows, or the beginning of its fingerprint where there is
	// none, or several keys share it.
	Name   string            // required
	Labels map[string]string // of the keys that are added
}

// Imported says what became of the lines of a document. A key that it has twice
// is there once.
type Imported struct {
	Added   []*Key // in the order of the document
	Known   []*Key // those that the owner had already, unchanged
	Refused []RefusedLine
}

// RefusedLine is a line of a document that is no key, or none that is taken.
type RefusedLine struct {
	Line int    // 1 is the first
	Rule string // that it breaks, as "must begin with the type of the key, without options"
}

// Import adds the keys that a user publishes, as at https://github.com/USER.keys
// or https://gitlab.com/USER.keys. It puts them on no server, and removes none:
// what has gone from the document since stays until it is deleted. Running it
// again adds what is new.
//
// The url may come from anybody. It must be https on port 443 of a host with a
// name, and so must be what it redirects to, three times at most. Addresses that
// are not of the public internet are not connected to, whatever the name. For
// that, it goes there itself, and not through a proxy of the environment.
// It takes 10 seconds, 256 KiB and 100 keys at most. An error of class
// ErrUnavailable, or ErrNotFound where the host has no such document, names the
// host alone. Those who need another way to it use ImportDocument.
func (s *Keys) Import(ctx context.Context, url string, opts ImportOpts) (*Imported, error) {
	if _, err := s.f.ask(ctx, "Keys.Import"); err != nil {
		return nil, err
	}
	opts, err := s.f.importOpts(opts)
	if err != nil {
		return nil, err
	}
	document, err := s.f.core.source.Fetch(ctx, url)
	if err != nil {
		return nil, fetchError(err)
	}
	return s.f.importKeys(ctx, document, opts)
}

// ImportDocument does what Import does with a document that the caller fetched:
// an authorized_keys line for each key, without options; empty lines and
// comments are passed over.
func (s *Keys) ImportDocument(ctx context.Context, document []byte, opts ImportOpts) (*Imported, error) {
	if _, err := s.f.ask(ctx, "Keys.ImportDocument"); err != nil {
		return nil, err
	}
	opts, err := s.f.importOpts(opts)
	if err != nil {
		return nil, err
	}
	return s.f.importKeys(ctx, document, opts)
}

// importOpts checks what can be before anything is fetched.
func (f *Forge) importOpts(opts ImportOpts) (ImportOpts, error) {
	if err := f.checkOwner(); err != nil {
		return opts, err
	}
	var v values
	opts.Name = v.text(validate.DisplayName("name", opts.Name))
	opts.Labels = v.labels(opts.Labels)
	return opts, v.err
}

func (f *Forge) importKeys(ctx context.Context, document []byte, opts ImportOpts) (*Imported, error) {
	doc, err := keysource.Parse(document)
	if err != nil {
		return nil, asInvalid(err)
	}
	var done *Imported
	err = f.core.update(ctx, func(t *txn) error {
		done = &Imported{}
		for _, public := range doc.Keys {
			known, err := sameKey(t, f.owner, public.Fingerprint)
			if err != nil {
				return err
			}
			if known != nil {
				done.Known = append(done.Known, known)
				continue
			}
			key := (&Key{
				ID: newID(), Owner: f.owner, Name: opts.nameOf(public, doc.Keys), Labels: opts.Labels, Created: t.Now(),
				Type: public.Type, Public: public.Line, Comment: public.Comment, Fingerprint: public.Fingerprint,
			}).Clone() // labels of its own
			if err := t.Keys().Insert(key); err != nil {
				return err
			}
			done.Added = append(done.Added, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, line := range doc.Refused {
		done.Refused = append(done.Refused, RefusedLine(line))
	}
	return done, nil
}

// nameOf names a key by what tells it from the others of its document, at the
// next import too: its place there changes, and GitLab gives all the same comment.
func (o ImportOpts) nameOf(key validate.Key, all []validate.Key) string {
	what := key.Comment
	for _, other := range all {
		if other.Comment == key.Comment && other.Fingerprint != key.Fingerprint {
			what = ""
		}
	}
	if what == "" {
		what = key.Fingerprint[:len("SHA256:")+8]
	}
	name := o.Name + " " + what
	if utf8.RuneCountInString(name) > validate.MaxName {
		name = strings.TrimSpace(string([]rune(name)[:validate.MaxName]))
	}
	return name
}

// fetchError is the error of a fetch in this package's terms.
func fetchError(err error) error {
	var failed *keysource.Error
	switch {
	case !errors.As(err, &failed):
		return asInvalid(err)
	case failed.Missing:
		return &Error{Class: ErrNotFound, Field: "url", Rule: failed.Error()}
	}
	return &Error{Class: ErrUnavailable, Field: "url", Rule: failed.Error()}
}
