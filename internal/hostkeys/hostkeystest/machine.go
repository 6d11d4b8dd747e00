// Package hostkeystest plays, in tests without machines, a machine that makes a host
// key of its own.
package hostkeystest

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/hostkeys"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// Machine is a machine's host keys.
type Machine struct {
	show func(ssh.Signer)

	mu          sync.Mutex
	shown, next ssh.Signer
	made        int
}

// New returns a machine that was given a key, and calls show with that and with each
// one that it shows from then on.
func New(given ssh.Signer, show func(ssh.Signer)) *Machine {
	show(given)
	return &Machine{show: show, shown: given}
}

// Shown is the key that the machine shows.
func (m *Machine) Shown() ssh.Signer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shown
}

// Made is how many keys were made.
func (m *Machine) Made() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.made
}

// Answer runs a command of package hostkeys, and reports whether it was one.
func (m *Machine) Answer(e *sshtest.Exec) (code int, is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Script != hostkeys.Make(m.shown.PublicKey()).Script || len(e.Args) != 2 {
		return 0, false
	}
	switch e.Args[0] {
	case "make":
		answer := m.shown
		if e.Args[1] == line(m.shown) {
			if m.next == nil {
				m.next = newSigner()
				m.made++
			}
			answer = m.next
		}
		_, _ = io.WriteString(e.Stdout, line(answer)+"\n")
	case "use":
		if m.next != nil && e.Args[1] == line(m.next) {
			m.shown, m.next = m.next, nil
			m.show(m.shown)
		}
		if e.Args[1] != line(m.shown) {
			_, _ = fmt.Fprintln(e.Stderr, "the new host key is not there any more")
			return 1, true
		}
	}
	return 0, true
}

func line(key ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

func newSigner() ssh.Signer {
	_, key, _ := ed25519.GenerateKey(nil) // which does not fail
	signer, _ := ssh.NewSignerFromKey(key)
	return signer
}
