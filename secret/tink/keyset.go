// Package tink seals with keysets of Tink, as [secret.Sealer] and
// [secret.Rotator]: AES-256-GCM keys, of which the primary one seals and all that
// are enabled open. A keyset is in a file, in an environment variable, or in a
// file that a KMS sealed. The formats are Tink's own.
//
// A lost keyset is lost with everything that was sealed with it: keep a copy of
// each state of it apart from the copies of the store.
package tink

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkapi "github.com/tink-crypto/tink-go/v2/tink"

	"github.com/seed-797f2c2c/forge/secret"

	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Keyset is a set of keys that seals and opens. It never changes: what changes a
// keyset returns another, to be saved and used from the next start of a process
// on. It is safe for concurrent use.
type Keyset struct {
	handle *keyset.Handle
	aead   tinkapi.AEAD
	keys   []KeyInfo
}

var _ secret.Rotator = (*Keyset)(nil)

// KeyInfo is what may be known of a key.
type KeyInfo struct {
	ID       string // Tink's key id, in decimal
	Primary  bool   // seals
	Disabled bool   // does not open
}

// New makes a keyset with one new key. Save it before anything is sealed with it.
func New() (*Keyset, error) {
	manager := keyset.NewManager()
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("make a keyset: %w", err)
	}
	return managed(manager)
}

// managed is the keyset that a manager has come to.
func managed(manager *keyset.Manager) (*Keyset, error) {
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("make a keyset: %w", err)
	}
	return newKeyset(handle)
}

// newKeyset takes keysets whose values tell which of the keys they were sealed
// with, as rotation hangs on that.
func newKeyset(handle *keyset.Handle) (*Keyset, error) {
	k := &Keyset{handle: handle}
	info := handle.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		id := name(key.GetKeyId())
		if key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, fmt.Errorf("key %s has output prefix %s: forge takes keys with prefix TINK", id, key.GetOutputPrefixType())
		}
		if slices.ContainsFunc(k.keys, func(other KeyInfo) bool { return other.ID == id }) {
			return nil, fmt.Errorf("key %s is there twice", id)
		}
		k.keys = append(k.keys, KeyInfo{id, key.GetKeyId() == info.GetPrimaryKeyId(), key.GetStatus() != tinkpb.KeyStatusType_ENABLED})
	}
	var err error
	if k.aead, err = aead.New(handle); err != nil {
		return nil, errors.New("its keys are not for AEAD: make a keyset of AES256_GCM keys")
	}
	return k, nil
}

// Info lists all the keys, in the order in which they were added.
func (k *Keyset) Info() []KeyInfo { return slices.Clone(k.keys) }

// Keys lists the ids of the keys that are enabled, with the primary one first.
func (k *Keyset) Keys() []string {
	var ids []string
	for _, key := range k.keys {
		switch {
		case key.Primary:
			ids = slices.Insert(ids, 0, key.ID)
		case !key.Disabled:
			ids = append(ids, key.ID)
		}
	}
	return ids
}

// find is the key of an id, if the keyset has it.
func (k *Keyset) find(id string) (key KeyInfo, found bool) {
	i := slices.IndexFunc(k.keys, func(key KeyInfo) bool { return key.ID == id })
	if i < 0 {
		return KeyInfo{}, false
	}
	return k.keys[i], true
}

func name(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
