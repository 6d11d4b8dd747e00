package main

import (
	"context"
	"crypto/rand"
	"os"
	"strconv"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// inbox belongs to the user forge and is in the server's memory, so that no disk
// decides how fast a file gets there.
const inbox = "/srv/inbox"

const makeInbox = `if ! mountpoint -q /srv/inbox; then
	mkdir -p /srv/inbox
	mount -t tmpfs -o mode=0755,uid=forge,gid=forge tmpfs /srv/inbox
fi`

// uploadLarge is a file that cannot be compressed, with the check that all of it
// has arrived, and the rename to its name. The peers do neither.
func uploadLarge() row { return row{name: "upload-256m", unit: "s", setup: setUpUploadLarge} }

func setUpUploadLarge(ctx context.Context, l *lab) (*trial, error) {
	h, err := l.inMemory(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.bash(ctx, makeInbox); err != nil {
		return nil, err
	}
	content := make([]byte, l.large)
	_, _ = rand.Read(content)
	local := h.file("large")
	if err := os.WriteFile(local, content, 0o600); err != nil {
		return nil, err
	}
	c, err := l.connect(ctx, h)
	if err != nil {
		return nil, err
	}
	// stdin is the file, from its beginning.
	read := func(use func(stdin *os.File) error) error {
		file, err := os.Open(local)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		return use(file)
	}
	ours := func(ctx context.Context) error {
		return read(func(body *os.File) error {
			return h.forge.Servers.Upload(ctx, h.server.ID, sshexec.UploadSpec{
				Path: inbox + "/large", User: "forge", Body: body, Size: int64(l.large),
			})
		})
	}
	floor := func(context.Context) error {
		return read(func(stdin *os.File) error { return runIn(c, "cat >"+inbox+"/large", stdin, nil) })
	}
	scp := func(options ...string) measure {
		return timed(func(ctx context.Context) error {
			args := append(h.options(), options...)
			return h.openSSH(ctx, "scp", append(args, "-q", local, h.login()+":"+inbox+"/large")...).Run()
		})
	}
	arrived := func(run measure) measure {
		return h.then(run, `[[ $(stat --format=%s /srv/inbox/large) == "$1" ]]; rm /srv/inbox/large`, strconv.Itoa(l.large))
	}
	return &trial{
		ours: arrived(timed(ours)),
		peers: []peer{
			{"floor", arrived(timed(floor))},
			{"scp", arrived(scp())},
			{"scp aes128-gcm", arrived(scp("-c", "aes128-gcm@openssh.com"))},
		},
	}, nil
}
