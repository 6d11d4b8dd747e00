package sshexec_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// tampering changes a temporary file in its directory once its body is read.
type tampering struct {
	io.Reader
	dir string
}

func (r *tampering) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	temps, globErr := filepath.Glob(r.dir + "/.forge-*")
	if globErr != nil || len(temps) != 1 {
		return n, fmt.Errorf("found %v: %w", temps, globErr)
	}
	if err := os.Truncate(temps[0], 32<<20); err != nil {
		return n, err
	}
	return n, err
}

func TestVerifiedUploads(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)
	for name, size := range map[string]int{"small": 2000, "large enough for another program": 17 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := rootDir(t)
			parts := []string{"a", "it's \\ \n\r\" b", "-c"}
			var specs []sshexec.UploadSpec
			for _, part := range parts {
				require.NoError(t, os.Mkdir(filepath.Join(dir, part), 0o700))
				specs = append(specs, sshexec.UploadSpec{
					Path: filepath.Join(dir, part, "file"), Body: bytes.NewReader(content(size)), Mode: 0o640, Verify: true,
				})
			}
			specs = append(specs, sshexec.UploadSpec{Path: filepath.Join(dir, "plain"), Body: bytes.NewReader(content(1))})
			require.NoError(t, c.Upload(t.Context(), specs...))
			for _, spec := range specs[:len(parts)] {
				got, err := os.ReadFile(spec.Path)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content(size), got))
				info, err := os.Stat(spec.Path)
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o640), info.Mode())
			}
		})
	}
	t.Run("corrupt", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		var specs []sshexec.UploadSpec
		for i := range 5 {
			sub := filepath.Join(dir, fmt.Sprint(i))
			require.NoError(t, os.Mkdir(sub, 0o700))
			specs = append(specs, sshexec.UploadSpec{
				Path: sub + "/file", Body: bytes.NewReader(content(100 << 10)), Verify: true,
			})
		}
		specs[3].Body = &tampering{specs[3].Body, filepath.Dir(specs[3].Path)}
		err := c.Upload(t.Context(), specs...)
		require.ErrorIs(t, err, sshexec.ErrCorrupt)
		require.ErrorContains(t, err, specs[3].Path)
		for i := range 5 {
			requireEmpty(t, filepath.Join(dir, fmt.Sprint(i)))
		}
	})
	t.Run("not in place of a directory", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		require.NoError(t, os.Mkdir(dir+"/file", 0o700))
		err := c.Upload(t.Context(), sshexec.UploadSpec{Path: dir + "/file", Body: bytes.NewReader(nil), Verify: true})
		require.ErrorContains(t, err, "rename to "+dir+"/file: Is a directory")
		requireEmpty(t, dir+"/file")
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})
	t.Run("more than one command takes", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		for range 9 {
			dir = filepath.Join(dir, fmt.Sprintf("%0200d", 0))
		}
		require.NoError(t, os.MkdirAll(dir, 0o700))
		var specs []sshexec.UploadSpec
		for i := range 600 {
			specs = append(specs, sshexec.UploadSpec{Path: fmt.Sprint(dir, "/", i), Body: bytes.NewReader(content(10)), Verify: true})
		}
		require.NoError(t, c.Upload(t.Context(), specs...))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 600)
	})
}
