package nspawn

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/internal/filelock"
	"github.com/seed-797f2c2c/forge/provider"
)

// record is what Dir knows of a machine. It is written before the first trace
// of the machine and removed after the last one.
type record struct {
	SpecID  string
	Name    string
	Labels  map[string]string
	Lower   string       // directories of its image, joined by colons
	DiskMiB int          // of its disk; 0 for no bound
	Net     netip.Prefix // its /30 network
	Created time.Time
	Made    bool // Create came to its end
}

var idFormat = regexp.MustCompile(`^fm-[a-z2-7]{12}$`)

// machineID names a machine and everything on the host that belongs to it. An
// interface's name has 15 characters.
func (p *Provider) machineID(specID string) string {
	sum := sha256.Sum256([]byte(p.cfg.Dir + "\x00" + specID))
	return "fm-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:12]
}

func (p *Provider) path(id string) string { return filepath.Join(p.cfg.Dir, "machines", id+".json") }
func (p *Provider) disk(id string) disk   { return disk(filepath.Join(p.cfg.Dir, "machines", id)) }

// lock holds a name against every program that uses Dir.
func (p *Provider) lock(ctx context.Context, name string) (*filelock.Held, error) {
	return filelock.Acquire(ctx, filepath.Join(p.cfg.Dir, "lock"), name)
}

// lockKnown is lock for an id from outside, which no machine may have.
func (p *Provider) lockKnown(ctx context.Context, id string) (*filelock.Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !idFormat.MatchString(id) || !exists(p.path(id)) {
		return nil, fmt.Errorf("%w: %q", provider.ErrNotFound, id)
	}
	return p.lock(ctx, id)
}

// load returns provider.ErrNotFound when there is no such machine.
func (p *Provider) load(id string) (*record, error) {
	data, err := os.ReadFile(p.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", provider.ErrNotFound, id)
	}
	if err != nil {
		return nil, err
	}
	rec := new(record)
	if err := json.Unmarshal(data, rec); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path(id), err)
	}
	return rec, nil
}

func (p *Provider) save(id string, rec *record) error {
	data, err := json.MarshalIndent(rec, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.path(id)), 0o700); err != nil {
		return err
	}
	beside := p.path(id) + ".new"
	if err := os.WriteFile(beside, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(beside, p.path(id))
}

// forget removes the record, and what an interrupted save left.
func (p *Provider) forget(id string) error {
	if err := os.RemoveAll(p.path(id) + ".new"); err != nil {
		return err
	}
	return os.RemoveAll(p.path(id))
}

// ids returns the machines that Dir has a record of.
func (p *Provider) ids() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(p.cfg.Dir, "machines"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok && idFormat.MatchString(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// machine is what the provider tells of a record.
func (rec *record) machine(id string) *provider.Machine {
	m := &provider.Machine{
		ID: id, SpecID: rec.SpecID, Name: rec.Name, Status: provider.StatusPending, Port: 22, User: "root",
		Labels: rec.Labels, Created: rec.Created,
	}
	if rec.Net.IsValid() {
		m.IPv4 = guest(rec.Net)
		m.Address = m.IPv4.String()
	}
	if !rec.Made {
		return m
	}
	m.Status = provider.StatusOff
	if group, err := machineCgroup(id); err == nil && (group + "/payload").running() {
		m.Status = provider.StatusActive
	}
	return m
}
