package sshexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// errUnknownHost refuses the key of a server that has no known one.
var errUnknownHost = errors.New("the server's host key is not known")

// Pinned knows the given keys and nothing else, whatever the address. Without
// keys it refuses every server.
func Pinned(keys ...ssh.PublicKey) HostKeys { return pinned(keys) }

type pinned []ssh.PublicKey

func (p pinned) Known(context.Context, string) ([]ssh.PublicKey, error) { return p, nil }

func (p pinned) Pin(_ context.Context, _ string, key ssh.PublicKey) error {
	return unknownHost(key)
}

func unknownHost(key ssh.PublicKey) error {
	return fmt.Errorf("%w: shown %s", errUnknownHost, ssh.FingerprintSHA256(key))
}

// FirstUse trusts the first key that each address shows, and that alone from
// then on. It keeps them in memory.
func FirstUse() HostKeys { return &firstUse{keys: map[string]ssh.PublicKey{}} }

type firstUse struct {
	mu   sync.Mutex
	keys map[string]ssh.PublicKey
}

func (f *firstUse) Known(_ context.Context, addr string) ([]ssh.PublicKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if key := f.keys[addr]; key != nil {
		return []ssh.PublicKey{key}, nil
	}
	return nil, nil
}

func (f *firstUse) Pin(_ context.Context, addr string, key ssh.PublicKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Two first connections may race; the later one must agree.
	if was := f.keys[addr]; was != nil && !sameKey(was, key) {
		return &HostKeyError{Addr: addr, Want: fingerprints([]ssh.PublicKey{was}), Got: ssh.FingerprintSHA256(key)}
	}
	f.keys[addr] = key
	return nil
}

// KnownHosts knows the keys of an OpenSSH known_hosts file, which is read anew
// for every connection, and refuses servers that are not in it.
func KnownHosts(path string) HostKeys { return knownHosts(path) }

type knownHosts string

func (path knownHosts) Known(_ context.Context, addr string) ([]ssh.PublicKey, error) {
	db, err := knownhosts.NewDB(string(path))
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w", err)
	}
	var keys []ssh.PublicKey
	for _, key := range db.HostKeys(addr) {
		if !key.Cert {
			keys = append(keys, key.PublicKey)
		}
	}
	return keys, nil
}

func (path knownHosts) Pin(_ context.Context, _ string, key ssh.PublicKey) error {
	return unknownHost(key)
}

// checkHostKey accepts a known key, and asks for the first one of a server.
func checkHostKey(ctx context.Context, t Target, known []ssh.PublicKey, key ssh.PublicKey) error {
	if len(known) == 0 {
		return t.HostKeys.Pin(ctx, t.Addr, key)
	}
	if slices.ContainsFunc(known, func(k ssh.PublicKey) bool { return sameKey(k, key) }) {
		return nil
	}
	return &HostKeyError{Addr: t.Addr, Want: fingerprints(known), Got: ssh.FingerprintSHA256(key)}
}

// hostKeyMismatch tells a server that has no key of the known kinds any more
// from other failures of the handshake.
func hostKeyMismatch(err error, addr string, known []ssh.PublicKey) error {
	var none *ssh.AlgorithmNegotiationError
	if errors.As(err, &none) && none.What == "host key" && len(known) > 0 {
		return &HostKeyError{Addr: addr, Want: fingerprints(known), Got: fmt.Sprint(none.RequestedAlgorithms)}
	}
	return err
}

func isHostKeyError(err error) bool {
	var changed *HostKeyError
	return errors.As(err, &changed)
}

// hostKeyAlgorithms asks a server for the kinds of key that it is known by.
// Left to itself the library asks for ed25519 last, and a server that has
// other keys as well would seem to have changed.
func hostKeyAlgorithms(known []ssh.PublicKey) []string {
	if len(known) == 0 {
		return preferred(ssh.SupportedAlgorithms().HostKeys, ssh.KeyAlgoED25519)
	}
	algorithms := make([]string, 0, 2*len(known))
	for _, key := range known {
		if key.Type() == ssh.KeyAlgoRSA { // the kind of key, not of signature
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		algorithms = append(algorithms, key.Type())
	}
	return algorithms
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

func fingerprints(keys []ssh.PublicKey) []string {
	prints := make([]string, len(keys))
	for i, key := range keys {
		prints[i] = ssh.FingerprintSHA256(key)
	}
	return prints
}
