package forge

import (
	"context"
	"iter"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// Keys looks after the public keys that may log in to servers.
type Keys struct{ f *Forge }

// KeyOpts are the options of Keys.Add.
type KeyOpts struct {
	Name           string // required
	Public         string // one authorized_keys line, without options
	Labels         map[string]string
	IdempotencyKey string
}

// Add adds a key. It puts it on no server: see Sync. Keys are ed25519, ecdsa,
// rsa of 2048 to 8192 bits, or such of a security key. A key that the owner has
// already is of class ErrConflict, as is an idempotency key of another one.
func (s *Keys) Add(ctx context.Context, opts KeyOpts) (*Key, error) {
	if _, err := s.f.ask(ctx, "Keys.Add"); err != nil {
		return nil, err
	}
	if err := s.f.checkOwner(); err != nil {
		return nil, err
	}
	var v values
	public, err := validate.PublicKey("public", opts.Public)
	v.text("", err)
	key := &Key{
		ID: newID(), Owner: s.f.owner,
		Name:           v.text(validate.DisplayName("name", opts.Name)),
		Labels:         v.labels(opts.Labels),
		IdempotencyKey: v.optional("idempotency_key", opts.IdempotencyKey, validate.IdempotencyKey),
		Type:           public.Type, Public: public.Line, Comment: public.Comment, Fingerprint: public.Fingerprint,
	}
	if v.err != nil {
		return nil, v.err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		known, err := madeBefore(t.Keys(), key.IdempotencyKey, KeyFilter{Owner: key.Owner, IdempotencyKey: key.IdempotencyKey},
			key.Owner, func(k *Key) string { return k.Owner })
		if err != nil {
			return err
		}
		if known != nil {
			if known.Fingerprint != key.Fingerprint {
				return &Error{Class: ErrConflict, Field: "idempotency_key", Rule: "was used for another key, " + known.told()}
			}
			key = known
			return nil
		}
		known, err = sameKey(t, key.Owner, key.Fingerprint)
		if err != nil {
			return err
		}
		if known != nil {
			return &Error{Class: ErrConflict, Field: "public", Rule: "is there already, as " + known.told()}
		}
		key.Created = t.Now()
		return t.Keys().Insert(key)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// sameKey is the key of a fingerprint that the owner has, or nil.
func sameKey(tx Tx, owner, fingerprint string) (*Key, error) {
	return madeBefore(tx.Keys(), fingerprint, KeyFilter{Owner: owner, Fingerprint: fingerprint}, owner,
		func(k *Key) string { return k.Owner })
}

// Get returns a key.
func (s *Keys) Get(ctx context.Context, id string) (k *Key, err error) {
	if _, err := s.f.ask(ctx, "Keys.Get", Subject{SubjectKey, id}); err != nil {
		return nil, err
	}
	err = s.f.core.Store.View(ctx, func(tx Tx) error {
		k, err = s.f.key(tx, id)
		return err
	})
	return k, err
}

func (f *Forge) key(tx Tx, id string) (*Key, error) {
	k, err := tx.Keys().Get(id)
	return scoped(f, "key", id, k, func(k *Key) string { return k.Owner }, err)
}

// List returns a page of the keys that the filter selects.
func (s *Keys) List(ctx context.Context, filter KeyFilter, page Page) ([]*Key, error) {
	if _, err := s.f.ask(ctx, "Keys.List"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Key, error) { return tx.Keys().List(filter, page) })
}

// All yields every key that the filter selects, page by page.
func (s *Keys) All(ctx context.Context, filter KeyFilter) iter.Seq2[*Key, error] {
	return asking(ctx, s.f, "Keys.All", nil, func(f *Forge) iter.Seq2[*Key, error] {
		return all(func(page Page) ([]*Key, error) { return f.Keys.List(ctx, filter, page) },
			func(k *Key) string { return k.ID })
	})
}

// Grants returns a page of where keys may log in.
func (s *Keys) Grants(ctx context.Context, filter GrantFilter, page Page) ([]*Grant, error) {
	if _, err := s.f.ask(ctx, "Keys.Grants"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Grant, error) { return tx.Grants().List(filter, page) })
}

// AllGrants yields where keys may log in, page by page.
func (s *Keys) AllGrants(ctx context.Context, filter GrantFilter) iter.Seq2[*Grant, error] {
	return asking(ctx, s.f, "Keys.AllGrants", nil, func(f *Forge) iter.Seq2[*Grant, error] {
		return all(func(page Page) ([]*Grant, error) { return f.Keys.Grants(ctx, filter, page) },
			func(g *Grant) string { return g.ID })
	})
}
