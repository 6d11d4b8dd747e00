package forge

import (
	"fmt"
	"maps"
	"time"
)

// Key is a public key of a person or a machine that may log in.
type Key struct {
	ID             string
	Owner          string
	Name           string
	Labels         map[string]string
	IdempotencyKey string

	Type        string // as "ssh-ed25519"
	Public      string // type and base64, without a comment
	Comment     string
	Fingerprint string // SHA256, unique for an owner

	Created time.Time
}

// Clone returns a copy that shares nothing with the key.
func (k *Key) Clone() *Key {
	c := *k
	c.Labels = maps.Clone(k.Labels)
	return &c
}

// told is a key by its name and id.
func (k *Key) told() string { return fmt.Sprintf("%q (%s)", k.Name, k.ID) }

// KeyFilter selects keys.
type KeyFilter struct {
	Owner          string
	Fingerprint    string
	IdempotencyKey string
	Labels         map[string]string // all of these
}

// GrantStatus is the state of a key on a server.
type GrantStatus string

// The states of a grant.
const (
	GrantPending  GrantStatus = "pending"
	GrantSynced   GrantStatus = "synced"
	GrantFailed   GrantStatus = "failed"
	GrantRevoking GrantStatus = "revoking"
	GrantRevoked  GrantStatus = "revoked"
)

// liveGrants are the states in which a server may let a key in.
func liveGrants() []GrantStatus {
	return []GrantStatus{GrantPending, GrantSynced, GrantFailed, GrantRevoking}
}

// Grant lets a key log in to a server as a unix user.
type Grant struct {
	ID     string
	Owner  string
	Key    string
	Server string
	User   string // unix user
	Public string // type and base64 of the key, which may be deleted since
	Wanted bool   // whether the key is to be let in: what was asked for last
	Action string // the last action that changed it; empty while none is asked for

	Status  GrantStatus
	Failure string

	// EndSessions says that it is taken away with the sessions that were begun
	// with it.
	EndSessions bool

	Created, Synced, Revoked time.Time
}

// revocation is the part that takes the grant back, as far as that was asked for and
// is not done.
func (g *Grant) revocation() Kind {
	if g.Status == GrantRevoking && g.EndSessions {
		return KindCutKey
	}
	return KindRevokeKey
}

// Clone returns a copy.
func (g *Grant) Clone() *Grant { c := *g; return &c }

// GrantFilter selects grants.
type GrantFilter struct {
	Owner  string
	Key    string
	Server string
	User   string
	Status []GrantStatus
}
