package nspawn_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func newID() string { return "test-" + strings.ToLower(rand.Text()) }

// traces returns what the host knows of a machine: files, mounts, processes,
// interface, namespace, nftables table and cgroups.
func traces(t *testing.T, id string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{
		"/var/lib/forge-nspawn/machines/*", "/run/netns/*", "/sys/class/net/*", "/run/systemd/nspawn/*/*",
		"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*",
	} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			if strings.Contains(filepath.Base(path), id) {
				found = append(found, path)
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	tables, err := exec.CommandContext(t.Context(), "nft", "list", "tables").Output()
	require.NoError(t, err)
	processes, err := exec.CommandContext(t.Context(), "ps", "-eo", "args").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts) + string(tables) + string(processes)) {
		if strings.Contains(line, id) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// deleteLater deletes a machine when the test ends, if it is still there.
func deleteLater(t *testing.T, p *nspawn.Provider, id string) {
	t.Cleanup(func() {
		if err := p.Delete(context.WithoutCancel(t.Context()), id); err != nil {
			t.Error(err)
		}
	})
}

func TestRacingCreatesMakeOneMachine(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	spec := newSpec(t, newID())
	made := make([]*provider.Machine, 6)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			// Each has its own Provider, as another process has.
			p, err := nspawn.New(nspawn.Config{})
			if err == nil {
				made[i], err = p.Create(t.Context(), spec)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
	deleteLater(t, p, made[0].ID)
	for _, m := range made {
		require.Equal(t, made[0], m)
	}
	require.NotEmpty(t, traces(t, made[0].ID))
	require.NoError(t, p.Delete(t.Context(), made[0].ID))
	require.Empty(t, traces(t, made[0].ID))
	require.NoError(t, p.Delete(t.Context(), made[0].ID), "what is gone is no error")
}

// makeAndHang is the program that is killed in TestOutlivesItsMaker.
func makeAndHang(specID string) {
	p, err := nspawn.New(nspawn.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		log.Fatal(err)
	}
	m, err := p.Create(context.Background(), provider.Spec{
		ID: specID, Name: "test", AuthorizedKey: string(ssh.MarshalAuthorizedKey(signer.PublicKey())),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("made " + m.ID)
	time.Sleep(time.Hour)
}

func TestOutlivesItsMaker(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	spec := newSpec(t, newID())
	maker := exec.CommandContext(t.Context(), os.Args[0])
	maker.Env = append(os.Environ(), makeAndHangEnv+"="+spec.ID)
	stdout, err := maker.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, maker.Start())
	var id string
	for lines := bufio.NewScanner(stdout); id == "" && lines.Scan(); {
		if made, ok := strings.CutPrefix(lines.Text(), "made "); ok {
			id = made
		}
	}
	require.NoError(t, maker.Process.Kill())
	require.Error(t, maker.Wait(), "killed")
	require.NotEmpty(t, id)
	deleteLater(t, p, id)

	m, err := p.Create(t.Context(), spec)
	require.NoError(t, err)
	require.Equal(t, id, m.ID)
	require.Equal(t, provider.StatusActive, m.Status, "it runs on")
	all, err := p.List(t.Context())
	require.NoError(t, err)
	require.Contains(t, all, m)
	require.NoError(t, p.Delete(t.Context(), id))
	require.Empty(t, traces(t, id))
}

func TestFailedCreateLeavesNothing(t *testing.T) {
	t.Parallel()
	newProvider(t) // skips
	// An image without an init: the disk can be mounted, and nothing starts.
	p, err := nspawn.New(nspawn.Config{Images: map[string]string{"empty": t.TempDir()}})
	require.NoError(t, err)
	spec := newSpec(t, newID())
	spec.Image = "empty"
	_, err = p.Create(t.Context(), spec)
	require.ErrorContains(t, err, "systemd-nspawn", "it says what failed")
	all, err := p.List(t.Context())
	require.NoError(t, err)
	for _, m := range all {
		require.NotEqual(t, spec.ID, m.SpecID)
	}

	spec.Image = ""
	m, err := p.Create(t.Context(), spec)
	require.NoError(t, err, "another try works")
	deleteLater(t, p, m.ID)
}

func TestCancelledCreateLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	spec := newSpec(t, newID())
	m, err := p.Create(t.Context(), spec)
	require.NoError(t, err)
	require.NoError(t, p.Delete(t.Context(), m.ID))

	// Deadlines that fall into different moments of a Create.
	failed := 0
	for after := time.Millisecond; after < 200*time.Millisecond; after += 15 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := p.Create(ctx, spec)
		cancel()
		if err == nil {
			require.NoError(t, p.Delete(t.Context(), m.ID))
			continue
		}
		failed++
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, traces(t, m.ID), "after %v", after)
	}
	require.NotZero(t, failed)
}
