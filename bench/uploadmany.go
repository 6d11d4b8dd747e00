package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// uploadMany is many small files, each with the check of its SHA-256 on the server
// and the rename to its name, into an empty directory. The peers do neither, but
// that rsync renames.
func uploadMany() row { return row{name: "upload-2000", unit: "s", setup: setUpUploadMany} }

func setUpUploadMany(ctx context.Context, l *lab) (*trial, error) {
	h, err := l.inMemory(ctx)
	if err != nil {
		return nil, err
	}
	const remote = inbox + "/many"
	empty := "rm -rf /srv/inbox/many; install -d -o forge -g forge /srv/inbox/many"
	if err := h.bash(ctx, makeInbox+"\n"+empty); err != nil {
		return nil, err
	}
	local := h.file("many")
	if err := os.Mkdir(local, 0o700); err != nil {
		return nil, err
	}
	files := make([][]byte, l.small)
	for i := range files {
		files[i] = make([]byte, 2<<10)
		_, _ = rand.Read(files[i])
		if err := os.WriteFile(filepath.Join(local, strconv.Itoa(i)), files[i], 0o600); err != nil {
			return nil, err
		}
	}
	c, err := l.connect(ctx, h)
	if err != nil {
		return nil, err
	}
	ours := func(ctx context.Context) error {
		specs := make([]sshexec.UploadSpec, len(files))
		for i, content := range files {
			specs[i] = sshexec.UploadSpec{
				Path: fmt.Sprint(remote, "/", i), User: "forge", Body: bytes.NewReader(content), Verify: true,
			}
		}
		return h.forge.Servers.Upload(ctx, h.server.ID, specs...)
	}
	rsync := func(ctx context.Context) error {
		shell := strings.Join(append([]string{"ssh"}, h.options()...), " ")
		return h.openSSH(ctx, "rsync", "--recursive", "--rsh="+shell, local+"/", h.login()+":"+remote+"/").Run()
	}
	batch := func(ctx context.Context) error {
		cmd := h.openSSH(ctx, "sftp", append(h.options(), "-q", "-b", "-", h.login())...)
		cmd.Stdin = strings.NewReader("put -r " + local + "/. " + remote + "\n")
		return cmd.Run()
	}
	floor := func(context.Context) error { return writeAll(c, remote, files) }
	arrived := func(run measure) measure {
		return h.then(run, `cd /srv/inbox/many; [[ $(find . -type f -size 2048c | wc -l) == "$1" ]]; `+empty, strconv.Itoa(len(files)))
	}
	t := &trial{
		ours:  arrived(timed(ours)),
		peers: []peer{{"floor", arrived(timed(floor))}, {"sftp -r", arrived(timed(batch))}},
	}
	if there, err := l.has("rsync"); !there {
		return t, err
	}
	t.peers = append(t.peers, peer{"rsync", arrived(timed(rsync))})
	return t, h.install(ctx, "rsync")
}

// writeAll writes files by 32 goroutines on one client.
func writeAll(c *ssh.Client, dir string, files [][]byte) error {
	client, err := sftp.NewClient(c)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	var group errgroup.Group
	group.SetLimit(32)
	for i, content := range files {
		group.Go(func() error {
			f, err := client.OpenFile(fmt.Sprint(dir, "/", i), os.O_WRONLY|os.O_CREATE)
			if err != nil {
				return err
			}
			if _, err := f.Write(content); err != nil {
				return err
			}
			return f.Close()
		})
	}
	return group.Wait()
}
