package sshexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// rootDir makes a directory that root may write into: not below a directory
// that others can write, as the usual temporary one is.
func rootDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/root", "forge-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func content(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func requireEmpty(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestFilesOnOpenSSH(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)

	t.Run("upload and download", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		for i, size := range []int{0, 1, 32 << 10, 32<<10 + 1, 5 << 20} {
			for _, verify := range []bool{false, true} {
				name := filepath.Join(dir, fmt.Sprint("it's -", i, verify))
				data := content(size)
				require.NoError(t, c.Upload(t.Context(), sshexec.UploadSpec{
					Path: name, Body: bytes.NewReader(data), Mode: 0o640, Size: int64(size), Verify: verify,
				}))
				got, err := os.ReadFile(name)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, got))
				info, err := os.Stat(name)
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o640), info.Mode())

				var back bytes.Buffer
				require.NoError(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: name, Body: &back, Verify: verify}))
				require.True(t, bytes.Equal(data, back.Bytes()))
			}
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 10, "temporary files were left")
	})
	t.Run("a symlink is replaced, not followed", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		victim := filepath.Join(dir, "victim")
		require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
		require.NoError(t, os.Symlink(victim, filepath.Join(dir, "link")))
		require.NoError(t, c.Upload(t.Context(), sshexec.UploadSpec{Path: filepath.Join(dir, "link"), Body: strings.NewReader("new")}))
		got, err := os.ReadFile(victim)
		require.NoError(t, err)
		require.Equal(t, "precious", string(got))
	})
	t.Run("another user", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		daemon := unixUser(t, "daemon")
		var uid, gid int
		_, _ = fmt.Sscan(daemon.Uid, &uid)
		_, _ = fmt.Sscan(daemon.Gid, &gid)
		for parent := dir; strings.HasPrefix(parent, os.TempDir()+"/"); parent = filepath.Dir(parent) {
			require.NoError(t, os.Chmod(parent, 0o755))
		}
		require.NoError(t, os.Chown(dir, uid, gid))
		name := filepath.Join(dir, "file")
		for _, verify := range []bool{false, true} {
			require.NoError(t, c.Upload(t.Context(), sshexec.UploadSpec{Path: name, User: "daemon", Body: strings.NewReader("x"), Verify: verify}))
			info, err := os.Stat(name)
			require.NoError(t, err)
			owner, err := c.Run(t.Context(), sshexec.Command{Script: `stat --format=%u -- "$1"`, Args: []string{name}})
			require.NoError(t, err)
			require.Equal(t, daemon.Uid, strings.TrimSpace(string(owner.Stdout)))
			require.Equal(t, fs.FileMode(0o644), info.Mode())
		}

		err := c.Upload(t.Context(), sshexec.UploadSpec{Path: rootDir(t) + "/file", User: "daemon", Body: strings.NewReader("x")})
		require.ErrorIs(t, err, fs.ErrPermission)
		err = c.Download(t.Context(), sshexec.DownloadSpec{Path: "/etc/shadow", User: "daemon", Body: io.Discard})
		require.ErrorIs(t, err, fs.ErrPermission)

		var unsafe *sshexec.UnsafeDirError
		err = c.Upload(t.Context(), sshexec.UploadSpec{Path: name, Body: strings.NewReader("x")})
		require.ErrorAs(t, err, &unsafe)
		require.Equal(t, dir, unsafe.Dir)
		require.NoError(t, os.Mkdir(dir+"/below", 0o700))
		require.NoError(t, os.Symlink(dir+"/below", rootDir(t)+"/link"))
		err = c.Upload(t.Context(), sshexec.UploadSpec{Path: dir + "/below/file", Body: strings.NewReader("x")})
		require.ErrorAs(t, err, &unsafe)
		link := filepath.Join(rootDir(t), "link")
		require.NoError(t, os.Symlink(dir+"/below", link))
		err = c.Upload(t.Context(), sshexec.UploadSpec{Path: link + "/file", Body: strings.NewReader("x")})
		require.ErrorAs(t, err, &unsafe)
		requireEmpty(t, dir+"/below")
	})
	t.Run("an error leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		boom := errors.New("boom")
		for name, body := range map[string]io.Reader{
			"body":  io.MultiReader(bytes.NewReader(content(1<<20)), failing{boom}),
			"start": failing{boom},
		} {
			err := c.Upload(t.Context(), sshexec.UploadSpec{Path: dir + "/" + name, Body: body})
			require.ErrorIs(t, err, boom)
		}
		err := c.Upload(t.Context(), sshexec.UploadSpec{Path: dir + "/size", Body: strings.NewReader("xx"), Size: 1})
		require.ErrorIs(t, err, sshexec.ErrInvalid)

		ctx, cancel := context.WithCancel(t.Context())
		err = c.Upload(ctx, sshexec.UploadSpec{Path: dir + "/cancelled", Body: io.MultiReader(bytes.NewReader(content(1<<20)), &cancelling{cancel: cancel})})
		require.ErrorIs(t, err, context.Canceled)
		requireEmpty(t, dir)

		err = c.Upload(t.Context(), sshexec.UploadSpec{Path: dir + "/no/file", Body: strings.NewReader("")})
		require.ErrorIs(t, err, fs.ErrNotExist)
		err = c.Download(t.Context(), sshexec.DownloadSpec{Path: dir + "/none", Body: io.Discard})
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("invalid", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", "relative", "/", "/a/", "/a/../b", "/a\x00"} {
			require.ErrorIs(t, c.Upload(t.Context(), sshexec.UploadSpec{Path: name}), sshexec.ErrInvalid)
			require.ErrorIs(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: name}), sshexec.ErrInvalid)
		}
		require.ErrorIs(t, c.Upload(t.Context(), sshexec.UploadSpec{Path: "/a", Mode: fs.ModeSetuid | 0o755}), sshexec.ErrInvalid)
		require.ErrorIs(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: "/etc", Body: io.Discard}), sshexec.ErrInvalid)
		require.ErrorIs(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: "/etc/passwd", Body: io.Discard, MaxSize: 1}), sshexec.ErrInvalid)
	})
	t.Run("many", func(t *testing.T) {
		t.Parallel()
		dir := rootDir(t)
		var specs []sshexec.UploadSpec
		for i := range 500 {
			specs = append(specs, sshexec.UploadSpec{Path: fmt.Sprintf("%s/%d", dir, i), Body: bytes.NewReader(content(2048))})
		}
		require.NoError(t, c.Upload(t.Context(), specs...))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 500)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// cancelling ends the context and then gives zeros without an end.
type cancelling struct{ cancel func() }

func (c *cancelling) Read(p []byte) (int, error) {
	c.cancel()
	clear(p)
	return len(p), nil
}

func BenchmarkUploadLarge(b *testing.B) {
	c := startSSHD(b).dial(b)
	dir := rootDir(b)
	data := content(64 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		require.NoError(b, c.Upload(b.Context(), sshexec.UploadSpec{Path: dir + "/file", Body: bytes.NewReader(data)}))
	}
}

func BenchmarkDownloadLarge(b *testing.B) {
	c := startSSHD(b).dial(b)
	dir := rootDir(b)
	data := content(64 << 20)
	require.NoError(b, os.WriteFile(dir+"/file", data, 0o600))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		require.NoError(b, c.Download(b.Context(), sshexec.DownloadSpec{Path: dir + "/file", Body: io.Discard}))
	}
}

func BenchmarkUpload2000Small(b *testing.B) {
	c := startSSHD(b).dial(b)
	dir := rootDir(b)
	data := content(2 << 10)
	for b.Loop() {
		specs := make([]sshexec.UploadSpec, 2000)
		for i := range specs {
			specs[i] = sshexec.UploadSpec{Path: fmt.Sprintf("%s/%d", dir, i), Body: bytes.NewReader(data)}
		}
		require.NoError(b, c.Upload(b.Context(), specs...))
	}
}
