package sshexec

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/sync/errgroup"
)

const (
	maxWrites = 16 // packets on the way at once, of one file
	maxFiles  = 32 // files written at once
)

// Upload writes files, each of them whole or not at all: under a temporary
// name beside, checked, and then renamed. The files of a user share a session,
// in which many are written at once, so their bodies must not depend on each
// other. After an error some of the files may be in place; the temporary ones
// are removed, as far as the server can be reached for another 5 seconds.
func (c *Client) Upload(ctx context.Context, files ...UploadSpec) error {
	byUser := map[string][]*upload{}
	for _, spec := range files {
		if err := checkFile(spec.Path, spec.User); err != nil {
			return err
		}
		if spec.Mode&^fs.ModePerm != 0 {
			return fmt.Errorf("%w: mode %v of %s has more than permissions", ErrInvalid, spec.Mode, spec.Path)
		}
		if spec.Mode == 0 {
			spec.Mode = 0o644
		}
		user := fileUser(spec.User)
		byUser[user] = append(byUser[user], &upload{UploadSpec: spec, sum: newDigest(spec.Verify)})
	}
	for user, uploads := range byUser {
		if err := c.uploadAs(ctx, user, uploads); err != nil {
			return err
		}
	}
	return nil
}

// upload is a file on its way.
type upload struct {
	UploadSpec
	sum   digest
	final string // Path in its resolved directory
	sent  int64  // bytes

	mu   sync.Mutex
	temp string // exists on the server when not empty
}

func (c *Client) uploadAs(ctx context.Context, user string, uploads []*upload) error {
	defer c.removeTemps(ctx, user, uploads)
	guard := &guard{}
	defer guard.close()
	err := c.withSFTP(ctx, user, func(s *sftpSession) error {
		dirs := &safeDirs{session: s, user: user}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(maxFiles)
		for _, u := range uploads {
			if ctx.Err() != nil {
				break
			}
			group.Go(func() error {
				if err := u.write(s, dirs, guard); err != nil {
					return fmt.Errorf("upload %s: %w", u.Path, err)
				}
				return nil
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	// Not in the session before: waiting for one while holding another could wait
	// for ever.
	for _, some := range batches(uploads) {
		if err := c.place(ctx, user, some); err != nil {
			return err
		}
	}
	return nil
}

// write writes one file and, unless it is to be verified, puts it in place.
func (u *upload) write(s *sftpSession, dirs *safeDirs, guard *guard) error {
	dir, err := dirs.resolve(path.Dir(u.Path))
	if err != nil {
		return err
	}
	u.final = path.Join(dir, path.Base(u.Path))
	temp := path.Join(dir, ".forge-"+rand.Text())
	u.setTemp(temp)
	f, err := s.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		if status := (*sftp.StatusError)(nil); errors.As(err, &status) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			u.setTemp("") // the server said so; nothing was made
		}
		return err
	}
	u.sent, err = u.copyTo(f, guard)
	switch {
	case err != nil:
	case u.Size > 0 && u.sent != u.Size:
		err = fmt.Errorf("%w: the body has %d bytes, not %d", ErrInvalid, u.sent, u.Size)
	case !u.Verify:
		err = u.checkSize(f)
	}
	err = errors.Join(err, f.Close())
	if err != nil || u.Verify {
		return err
	}
	if err := s.PosixRename(temp, u.final); err != nil {
		return err
	}
	u.setTemp("")
	return nil
}

// checkSize is the check of a file that is not verified, which gets its mode here.
func (u *upload) checkSize(f sftpFile) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() != u.sent:
		return fmt.Errorf("%w: %d bytes of %d arrived", ErrCorrupt, info.Size(), u.sent)
	case info.Mode().Perm() != u.Mode:
		return f.Chmod(u.Mode)
	}
	return nil
}

// copyTo writes the body, a small one in one packet.
func (u *upload) copyTo(f sftpFile, guard *guard) (int64, error) {
	if u.Body == nil {
		return 0, nil
	}
	body := io.TeeReader(guard.reader(u.Body), u.sum)
	start := make([]byte, 32<<10)
	n, err := io.ReadFull(body, start)
	switch {
	case err == nil:
		return f.ReadFromWithConcurrency(io.MultiReader(bytes.NewReader(start), body), maxWrites)
	case errors.Is(err, io.EOF):
		return 0, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		n, err = f.Write(start[:n])
		return int64(n), err
	}
	return 0, err
}

func (u *upload) setTemp(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.temp = name
}

// removeTemps removes what is left after an error, also when ctx is done.
func (c *Client) removeTemps(ctx context.Context, user string, uploads []*upload) {
	var temps []string
	for _, u := range uploads {
		u.mu.Lock()
		if u.temp != "" {
			temps = append(temps, u.temp)
		}
		u.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	for some := range slices.Chunk(temps, 500) { // a command has 100 KiB
		_, _ = c.Urgent().Run(ctx, Command{User: user, Script: `rm -f -- "$@"`, Args: some})
	}
}
