package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// spares is a provider of machines that stand ready in a rack. An inventory has
// an address in each line; a file named after the address says which server has
// the machine. What makes it a provider is that Create is idempotent by
// Spec.ID, and that this is remembered outside the process.
type spares struct {
	inventory string // file
	claims    string // directory
	signers   []ssh.Signer
}

var (
	_ provider.Provider      = (*spares)(nil)
	_ provider.Lister        = (*spares)(nil)
	_ provider.Authenticator = (*spares)(nil)
)

func (s *spares) Properties() provider.Properties { return provider.Properties{} }

// Signers log in the first time, as the machines do not know the control key.
func (s *spares) Signers(context.Context, string) ([]ssh.Signer, error) { return s.signers, nil }

func (s *spares) Validate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := s.addresses()
	return err
}

// Create gives the machine that the server has already, or claims a free one.
// Of two that claim the same one, one makes the file.
func (s *spares) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	if err := spec.Validate(s.Properties()); err != nil {
		return nil, fmt.Errorf("spares: %w", err)
	}
	taken, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range taken {
		if m.SpecID == spec.ID {
			return m, nil
		}
	}
	addresses, err := s.addresses()
	if err != nil {
		return nil, err
	}
	claim, err := s.write(spec)
	if err != nil {
		return nil, fmt.Errorf("spares: %w", err)
	}
	defer func() { _ = os.Remove(claim) }()
	for _, address := range addresses {
		err := os.Link(claim, s.claim(address))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("spares: %w", err)
		}
		m, err := s.Get(ctx, address)
		if err == nil && m.SpecID == spec.ID || err != nil && !errors.Is(err, provider.ErrNotFound) {
			return m, err
		}
	}
	return nil, fmt.Errorf("spares: %w: all %d machines are taken", provider.ErrCapacity, len(addresses))
}

// write writes a claim beside the others, so that it takes its place all at once.
func (s *spares) write(spec provider.Spec) (name string, err error) {
	f, err := os.CreateTemp(s.claims, ".claim-")
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "%s\n%s\n%s\n", spec.ID, spec.Name, time.Now().UTC().Format(time.RFC3339))
	return f.Name(), errors.Join(err, f.Close())
}

// Get returns a machine that a server has. Its id is its address.
func (s *spares) Get(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !isName(id) {
		return nil, fmt.Errorf("spares: %w: %q", provider.ErrNotFound, id)
	}
	claim, err := os.ReadFile(s.claim(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("spares: %w: %q", provider.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("spares: %w", err)
	}
	lines := strings.Split(string(claim), "\n")
	if len(lines) < 4 {
		return nil, fmt.Errorf("spares: %w: the claim of %s is broken; remove it", provider.ErrConflict, id)
	}
	taken, err := time.Parse(time.RFC3339, lines[2])
	if err != nil {
		return nil, fmt.Errorf("spares: the claim of %s: %w", id, err)
	}
	return &provider.Machine{
		ID: id, SpecID: lines[0], Name: lines[1], Status: provider.StatusActive,
		Address: id, Port: 22, User: "root", Created: taken,
	}, nil
}

// Delete puts a machine back. A real provider would wipe it first.
func (s *spares) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil || !isName(id) {
		return err
	}
	if err := os.Remove(s.claim(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("spares: %w", err)
	}
	return nil
}

// List returns the machines that servers have.
func (s *spares) List(ctx context.Context) ([]*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	claims, err := os.ReadDir(s.claims)
	if err != nil {
		return nil, fmt.Errorf("spares: %w", err)
	}
	var machines []*provider.Machine
	for _, claim := range claims {
		m, err := s.Get(ctx, claim.Name())
		if errors.Is(err, provider.ErrNotFound) { // given back meanwhile, or not a claim yet
			continue
		}
		if err != nil {
			return nil, err
		}
		machines = append(machines, m)
	}
	return machines, nil
}

func (s *spares) claim(address string) string { return filepath.Join(s.claims, address) }

// isName keeps an id from leading out of the directory of claims.
func isName(id string) bool {
	return id != "" && id == filepath.Base(id) && id[0] != '.' && !strings.Contains(id, "\x00")
}

func (s *spares) addresses() ([]string, error) {
	f, err := os.Open(s.inventory)
	if err != nil {
		return nil, fmt.Errorf("spares: %w: %w", provider.ErrInvalid, err)
	}
	defer func() { _ = f.Close() }()
	var all []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if address := strings.TrimSpace(lines.Text()); address != "" {
			all = append(all, address)
		}
	}
	return all, nil
}
