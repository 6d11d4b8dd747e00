package sshexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// UploadSpec is a file to be written on a server.
type UploadSpec struct {
	// Path is where the file comes to be: absolute, in a directory that exists.
	// What is there under that name, be it a symlink, is replaced at once.
	Path string
	// User is the unix user that writes and owns the file. Defaults to root,
	// which is refused with an *UnsafeDirError in a directory that others can
	// write, as they could lead it elsewhere.
	User string
	// Mode has the permission bits. Defaults to 0644. Before the file is
	// complete nobody but User can open it.
	Mode fs.FileMode
	// Body is read to its end.
	Body io.Reader
	// Size, where it is not zero, is how many bytes Body must have.
	Size int64
	// Verify has the server compute the SHA-256 of the file and compares it,
	// before the file takes its name.
	Verify bool
}

// DownloadSpec is a file to be read from a server.
type DownloadSpec struct {
	// Path is absolute. It must lead to a regular file. Whoever can write its
	// directory decides what file that is: read a user's files as that user.
	Path string
	// User is the unix user that reads the file. Defaults to root.
	User string
	// Body receives the content, in order. After an error it has a part of it.
	Body io.Writer
	// MaxSize, where it is not zero, refuses a larger file, in bytes.
	MaxSize int64
	// Verify has the server compute the SHA-256 of the file and compares it.
	Verify bool
}

// UnsafeDirError says that root would have written into a directory that
// another user can change.
type UnsafeDirError struct {
	Dir    string // resolved; the directory itself or one above
	Reason string
}

func (e *UnsafeDirError) Error() string {
	return fmt.Sprintf("root does not write below %s: %s; write there as that user", e.Dir, e.Reason)
}

// ErrCorrupt says that what arrived is not what was sent.
var ErrCorrupt = errors.New("the content changed on its way")

func fileUser(name string) string {
	if name == "" {
		return "root"
	}
	return name
}

func checkFile(name, user string) error {
	if err := checkUser(fileUser(user)); err != nil {
		return err
	}
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: path %q is not absolute and clean", ErrInvalid, name)
	}
	return nil
}

// Download reads a file. Errors of the server can be told with errors.Is and
// fs.ErrNotExist or fs.ErrPermission.
func (c *Client) Download(ctx context.Context, spec DownloadSpec) error {
	if err := c.download(ctx, spec); err != nil {
		return fmt.Errorf("download %s: %w", spec.Path, err)
	}
	return nil
}

func (c *Client) download(ctx context.Context, spec DownloadSpec) error {
	if err := checkFile(spec.Path, spec.User); err != nil {
		return err
	}
	body := &guardedWriter{to: spec.Body}
	defer body.close()
	sum := newDigest(spec.Verify)
	err := c.withSFTP(ctx, fileUser(spec.User), func(s *sftpSession) error {
		info, err := s.Stat(spec.Path)
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%w: not a regular file", ErrInvalid)
		case spec.MaxSize > 0 && info.Size() > spec.MaxSize:
			return fmt.Errorf("%w: %d bytes are more than %d", ErrInvalid, info.Size(), spec.MaxSize)
		}
		f, err := s.Open(spec.Path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		n, err := f.WriteTo(io.MultiWriter(body, sum))
		if err == nil && n != info.Size() {
			err = fmt.Errorf("%w: %d bytes came, and it has %d", ErrCorrupt, n, info.Size())
		}
		return err
	})
	if err != nil || !spec.Verify {
		return err
	}
	_, err = c.Run(ctx, Command{User: spec.User, Script: verifyScript, Args: []string{spec.Path, sum.hex()}})
	return corrupt(err)
}

// verifyScript exits with 65 when the file $1 has not the SHA-256 $2.
const verifyScript = `[[ $(sha256sum <"$1") == "$2  -" ]] || exit 65
`

func corrupt(err error) error {
	if exit := (*ExitError)(nil); errors.As(err, &exit) && exit.ExitCode == 65 {
		return ErrCorrupt
	}
	return err
}

// removeTimeout bounds the removal of what a failed upload left behind.
const removeTimeout = 5 * time.Second
