package testmachine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/filelock"
)

// layers is where prepared disks are kept, beside the provider's base images.
const layers = "/var/lib/forge-nspawn/layers"

// Layer is a state of a machine that takes long to reach and is wanted often,
// such as an installed stack.
type Layer struct {
	Name    string // letters, digits and dashes
	Version string // of any length; a layer is made anew when it changes
	// Prepare brings a new machine to that state.
	Prepare func(*Machine) error
}

// Layered returns a machine as New does, with a disk that starts from the
// layer. The first call makes the layer, also while other processes ask for
// it; the later ones boot in the time of New. Older versions are removed when
// no machine uses them.
func Layered(t testing.TB, layer Layer) *Machine {
	t.Helper()
	name, dirs, held := layer.image(t)
	// Held until the machine has mounted it, so that none removes it before.
	defer held.Release()
	return boot(t, newProvider(t, map[string]string{name: dirs}), name, "")
}

// Image returns the layer for nspawn.Config.Images. It is made as by Layered.
func (layer Layer) Image(t testing.TB) string {
	t.Helper()
	_, dirs, held := layer.image(t)
	held.Release()
	return dirs
}

// image returns the layer with its lock held.
func (layer Layer) image(t testing.TB) (name, dirs string, held *filelock.Held) {
	t.Helper()
	newProvider(t, nil) // skips before anything is made
	name = layer.Name + "-" + Image()
	sum := sha256.Sum256([]byte(layer.Version))
	dir := filepath.Join(layers, name+"-"+hex.EncodeToString(sum[:6]))
	held, err := filelock.Acquire(t.Context(), filepath.Join(layers, "lock"), name)
	require.NoError(t, err)
	made := false
	defer func() {
		if !made {
			held.Release()
		}
	}()
	dirs = stored(dir)
	if dirs == "" {
		require.NoError(t, discard(dir))
		dirs = makeLayer(t, layer, dir)
		require.NoError(t, discardOthers(name, dir))
	}
	made = true
	return name, dirs, held
}

// stored returns the directories of a layer, joined by colons, when the layer
// was made and all of them are there.
func stored(dir string) string {
	dirs, err := os.ReadFile(dir + ".image")
	if err != nil {
		return ""
	}
	for d := range strings.SplitSeq(string(dirs), ":") {
		if _, err := os.Stat(d); err != nil {
			return ""
		}
	}
	return string(dirs)
}

func makeLayer(t testing.TB, layer Layer, dir string) string {
	t.Helper()
	m := New(t)
	require.NoError(t, layer.Prepare(m), "prepare layer %s", layer.Name)
	require.NoError(t, m.PowerOff(t.Context()))
	dirs, err := m.provider.Freeze(t.Context(), m.ID, dir)
	require.NoError(t, err)
	// The file is written last: without it the directory is half a layer.
	require.NoError(t, os.WriteFile(dir+".image", []byte(dirs), 0o600))
	return dirs
}

// discard removes a layer, its file first.
func discard(dir string) error {
	if err := os.Remove(dir + ".image"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dir)
}

// discardOthers removes the versions of a layer but dir that no machine uses.
func discardOthers(name, dir string) error {
	all, err := filepath.Glob(filepath.Join(layers, name+"-*"))
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	version := func(path string) bool {
		_, err := hex.DecodeString(strings.TrimPrefix(filepath.Base(path), name+"-"))
		return err == nil
	}
	for _, other := range slices.DeleteFunc(all, func(path string) bool { return path == dir || !version(path) }) {
		if strings.Contains(string(mounts), other) {
			continue
		}
		if err := discard(other); err != nil {
			return fmt.Errorf("remove the old layer: %w", err)
		}
	}
	return nil
}
