package tink

import (
	"fmt"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Add returns the keyset with a new key, which opens and does not seal yet, and
// that key's id. Where several processes share a store, all of them have to know a
// key before one seals with it: save this, start them all anew, and Promote.
func (k *Keyset) Add() (with *Keyset, id string, err error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	added, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, "", fmt.Errorf("make a key: %w", err)
	}
	with, err = managed(manager)
	return with, name(added), err
}

// Promote returns the keyset with one of its keys as the primary one, which seals.
func (k *Keyset) Promote(id string) (*Keyset, error) {
	key, err := k.get(id)
	if err != nil {
		return nil, err
	}
	if key.Disabled {
		return nil, fmt.Errorf("key %s is disabled: enable it first", id)
	}
	return k.with((*keyset.Manager).SetPrimary, id)
}

// Rotate returns the keyset with a new primary key: Add and Promote in one, for a
// store that one process works with.
func (k *Keyset) Rotate() (*Keyset, error) {
	with, id, err := k.Add()
	if err != nil {
		return nil, err
	}
	return with.Promote(id)
}

// Disable returns the keyset with a key that opens no more until it is enabled.
// Do so when the key is no longer used, see forge.Forge.Reseal.
func (k *Keyset) Disable(id string) (*Keyset, error) {
	if err := k.notPrimary(id); err != nil {
		return nil, err
	}
	return k.with((*keyset.Manager).Disable, id)
}

// Enable returns the keyset with a key that opens again.
func (k *Keyset) Enable(id string) (*Keyset, error) {
	if _, err := k.get(id); err != nil {
		return nil, err
	}
	return k.with((*keyset.Manager).Enable, id)
}

// Remove returns the keyset without a key, which must be disabled: what it was
// still needed for has been noticed then.
func (k *Keyset) Remove(id string) (*Keyset, error) {
	if err := k.notPrimary(id); err != nil {
		return nil, err
	}
	if key, _ := k.find(id); !key.Disabled {
		return nil, fmt.Errorf("key %s is enabled: disable and save it first, and remove it when nothing has asked for it", id)
	}
	return k.with((*keyset.Manager).Delete, id)
}

func (k *Keyset) get(id string) (KeyInfo, error) {
	key, found := k.find(id)
	if !found {
		return KeyInfo{}, fmt.Errorf("there is no key %q in the keyset", id)
	}
	return key, nil
}

func (k *Keyset) notPrimary(id string) error {
	key, err := k.get(id)
	if err == nil && key.Primary {
		return fmt.Errorf("key %s is the primary one: promote another first", id)
	}
	return err
}

// with is the keyset after a change to a key that it has.
func (k *Keyset) with(change func(*keyset.Manager, uint32) error, id string) (*Keyset, error) {
	number, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(k.handle)
	if err := change(manager, uint32(number)); err != nil {
		return nil, fmt.Errorf("change key %s: %w", id, err)
	}
	return managed(manager)
}
