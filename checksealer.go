package forge

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/secret"
)

// CheckSealer returns an error of class ErrState when Config.Sealer does not have
// the key of what the store holds, as with the keyset of another installation. It
// opens the secrets of the oldest and of the newest record of each kind. Run does
// so first; a program that does not call Run may call it when it starts. A Forge
// with an owner looks at its owner's records.
func (f *Forge) CheckSealer(ctx context.Context) error {
	var owner string
	if f.narrow(&owner) {
		return nil
	}
	return f.core.checkSealer(ctx, owner)
}

func (c *core) checkSealer(ctx context.Context, owner string) error {
	var values []sealedAt
	err := c.Store.View(ctx, func(tx Tx) error {
		values = nil
		for _, table := range sealedTables(owner) {
			for _, newest := range []bool{true, false} {
				records, err := table.list(tx, Page{Limit: 1, Newest: newest})
				if err != nil {
					return err
				}
				for _, r := range records {
					values = append(values, r.values...)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.openAny(ctx, values)
}

// openAny tells a Sealer without the right keys, which is to be refused, from
// single values that are damaged.
func (c *core) openAny(ctx context.Context, values []sealedAt) error {
	opened := false
	var damaged error
	for _, v := range values {
		if len(*v.value) == 0 {
			continue
		}
		_, err := c.Sealer.Open(ctx, *v.value, v.place)
		switch {
		case err == nil:
			opened = true
		case !errors.Is(err, secret.ErrNotAuthentic):
			return err
		case c.lacksKey(*v.value):
			return wrongSealer(err)
		case damaged == nil:
			damaged = err
		}
	}
	switch {
	case damaged == nil:
	case !opened:
		return wrongSealer(damaged)
	default:
		c.Logger.WarnContext(ctx, "a sealed value does not open", "error", damaged)
	}
	return nil
}

// lacksKey reports whether a value names a key that the Sealer does not have.
func (c *core) lacksKey(sealed secret.Sealed) bool {
	r, ok := c.Sealer.(secret.Rotator)
	return ok && !slices.Contains(r.Keys(), r.KeyOf(sealed))
}

func wrongSealer(err error) error {
	return &Error{Class: ErrState, Err: err, Rule: "Config.Sealer does not have the key of what is in the store; " +
		"start with the keyset that has it, or bring that back from its backup"}
}

// awaitSealer checks the Sealer before anything is done, and returns an error when
// it is the wrong one. A store or a KMS that does not answer now is asked again,
// until ctx is done.
func (c *core) awaitSealer(ctx context.Context) error {
	again := &waiting{least: 500 * time.Millisecond, most: 10 * time.Second}
	for tries := 0; ; tries++ {
		err := c.checkSealer(ctx, "")
		switch {
		case errors.Is(err, secret.ErrNotAuthentic):
			return err
		case err == nil || ctx.Err() != nil:
			return nil
		}
		c.Logger.WarnContext(ctx, "the sealer cannot be checked yet", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(again.wait(tries)):
		}
	}
}
