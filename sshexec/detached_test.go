package sshexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// TestDetached tries runs on a machine with systemd and on one without.
func TestDetached(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*testing.T, *box){
		"outcomes":            testOutcomes,
		"surroundings":        testSurroundings,
		"environment":         testEnvironment,
		"secrets":             testSecrets,
		"binary output":       testBinaryOutput,
		"refused starts":      testRefusedStarts,
		"cut spec":            testCutSpec,
		"fence":               testFence,
		"background child":    testBackgroundChild,
		"one run":             testOneRun,
		"killed start":        testKilledStart,
		"interrupted":         testInterrupted,
		"reload of the units": testReload,
		"clean":               testClean,
		"unknown":             testUnknown,
		"lost connection":     testLostConnection,
		"detach":              testDetach,
		"woken by the kernel": testWoken,
		"silent client":       testSilentClient,
		"failing writer":      testFailingWriter,
		"limit of the log":    testMaxLog,
		"truncated log":       testTruncatedLog,
		"stop a deaf child":   testStopDeaf,
		"stop what exits":     testStopHonest,
		"stop before start":   testBar,
		"stop races start":    testStopRace,
		"login without root":  testSudo,
		"killed from outside": testKilled,
		"looked at too early": testEarlyLook,
		"killed end":          testKilledEnd,
		"stop at the end":     testStopAtEnd,
		"no supervision":      testUnsupervised,
		"killed supervisor":   testKilledSupervisor,
		"late supervisor":     testLateSupervisor,
		"claim not stored":    testUnstoredClaim,
		"killed follower":     testKilledFollower,
		"clean a cut start":   testCleanCutStart,
		"status without name": testUnnamedStatus,
	}
	for name, systemd := range map[string]bool{"systemd": true, "no systemd": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.systemd = systemd
			if !systemd {
				b.sh(t, "mv /run/systemd/system /run/systemd/hidden")
			}
			b.sh(t, "useradd --create-home --shell /usr/sbin/nologin site")
			t.Run("group", func(t *testing.T) { // ends before the box does
				for name, test := range tests {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						test(t, b)
					})
				}
			})
			require.Empty(t, b.sh(t, "ls -d /var/lib/forge/runs/.new.* 2>/dev/null || :"), "half-received runs are left")
			if systemd {
				require.Empty(t, b.sh(t, "systemctl list-units --all --no-legend 'forge-run-*'"), "units are left")
			}
		})
	}
}

// attach runs a script to its end.
func attach(t *testing.T, c *sshexec.Client, spec sshexec.RunSpec) (sshexec.RunStatus, string) {
	t.Helper()
	var log bytes.Buffer
	status, err := c.Attach(t.Context(), spec, 0, &log)
	require.NoError(t, err)
	require.EqualValues(t, log.Len(), status.LogSize)
	return status, log.String()
}

// following is a run that is followed in the background.
type following struct {
	status sshexec.RunStatus
	log    bytes.Buffer
	err    error
	done   chan struct{}
}

// follow attaches in the background and waits until the run prints a line.
func (b *box) follow(t *testing.T, spec sshexec.RunSpec) *following {
	t.Helper()
	c := b.dial(t)
	a := &following{done: make(chan struct{})}
	first := make(chan struct{})
	once := sync.OnceFunc(func() { close(first) })
	go func() {
		defer close(a.done)
		defer once()
		a.status, a.err = c.Attach(t.Context(), spec, 0, writerFunc(func(p []byte) (int, error) {
			if bytes.IndexByte(p, '\n') >= 0 {
				defer once()
			}
			return a.log.Write(p)
		}))
	}()
	<-first
	return a
}

// wait waits for the end of the run.
func (a *following) wait(t *testing.T) (sshexec.RunStatus, string) {
	t.Helper()
	<-a.done
	require.NoError(t, a.err)
	return a.status, a.log.String()
}

func newID() string { return fmt.Sprintf("r-%x", rand.Uint64()) }

func script(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }

func exited(code int) sshexec.RunStatus {
	return sshexec.RunStatus{State: sshexec.RunExited, ExitCode: code}
}

func signaled(name string) sshexec.RunStatus {
	return sshexec.RunStatus{State: sshexec.RunSignaled, Signal: name}
}

func testOutcomes(t *testing.T, b *box) {
	c := b.dial(t)
	for text, want := range map[string]sshexec.RunStatus{
		"true":                          exited(0),
		"exit 3":                        exited(3),
		"exit 143":                      exited(143),
		"bash -c 'kill -KILL $$'":       exited(137),
		"kill -TERM $$":                 signaled("TERM"),
		"kill -KILL $$":                 signaled("KILL"),
		"kill -HUP $$":                  signaled("HUP"),
		"kill -INT $$":                  signaled("INT"),
		"#!/bin/sh\nkill -QUIT $$":      signaled("QUIT"),
		"false; exit 0":                 exited(1),   // -e
		": $nothing":                    exited(1),   // -u
		"false | true":                  exited(1),   // pipefail
		"yes | head -n 1 >/dev/null":    exited(141), // SIGPIPE is not ignored
		"cat":                           exited(0),   // stdin is empty
		"#!/bin/sh\nfalse; exit 4":      exited(4),
		"#!/usr/bin/env bash\n: $x":     exited(0),
		"kill -KILL $$ # not a shebang": signaled("KILL"),
	} {
		id := newID()
		got, log := attach(t, c, sshexec.RunSpec{ID: id, Script: []byte(text), User: "site"})
		got.LogSize = 0
		require.Equal(t, want, got, "%q printed %q", text, log)
		got, err := c.Status(t.Context(), id)
		got.LogSize = 0
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", text)
	}
}

func testSurroundings(t *testing.T, b *box) {
	c := b.dial(t)
	id := newID()
	const text = `
		id -un; pwd; echo "$HOME $USER $LOGNAME $SHELL $LANG"; echo "$PATH"; umask
		stat -c '%U %G %a' "$0" "$FORGE_RUN_DIR/key"; cat "$FORGE_RUN_DIR/key" >&2`
	spec := sshexec.RunSpec{ID: id, Script: []byte(text), User: "site", Files: map[string][]byte{"key": []byte("pem")}}
	_, log := attach(t, c, spec)
	require.Equal(t, strings.Join([]string{
		"site", "/home/site", "/home/site site site /bin/bash C.UTF-8",
		"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "0022",
		"root site 640", "site site 400", "pem",
	}, "\n"), log)
	require.Equal(t, "claim\nlog\nstatus\n", b.sh(t, "cd /var/lib/forge/runs/%s; rm -f supervisor; ls", id))
	require.Equal(t, "root 711\nroot 600\n", b.sh(t, "cd /var/lib/forge/runs/%s; stat -c '%%U %%a' . log", id))

	dir := "/srv/a \"%h\" $b'\\\nExecStartPre=+/usr/bin/touch /run/injected"
	quoted, err := syntax.Quote(dir, syntax.LangBash)
	require.NoError(t, err)
	b.sh(t, "mkdir -p %s", quoted)
	_, log = attach(t, c, sshexec.RunSpec{ID: newID(), Script: []byte("pwd"), Dir: dir})
	require.Equal(t, dir+"\n", log)
	b.sh(t, "[[ ! -e /run/injected ]]")
	b.sh(t, `useradd --create-home --home-dir '/home/a "%%h" $b\' odd`)
	_, log = attach(t, c, sshexec.RunSpec{ID: newID(), Script: []byte("echo \"$HOME\""), User: "odd"})
	require.Equal(t, "/home/a \"%h\" $b\\\n", log)
	_, log = attach(t, c, sshexec.RunSpec{ID: newID(), Script: []byte("pwd"), User: "nobody"})
	require.Equal(t, "/\n", log, "nobody has no home")
}

func testSecrets(t *testing.T, b *box) {
	c := b.dial(t)
	spec, release := b.held(t)
	spec.User = "site"
	spec.Env = map[string]string{"TOKEN": "s3cret"}
	spec.Files = map[string][]byte{"key": []byte("pem")}
	run := b.follow(t, spec)
	for user, files := range map[string]string{
		"site":   "environ log end .",
		"nobody": "environ log end . script launch files files/key",
	} {
		_, log := attach(t, c, sshexec.RunSpec{ID: newID(), User: user, Script: script(
			`cd /var/lib/forge/runs/%s; for f in %s; do if [[ -d $f ]]; then ! ls "$f"; else ! cat "$f"; fi; done`, spec.ID, files)})
		require.Equal(t, len(strings.Fields(files)), strings.Count(log, "Permission denied"), "%s: %s", user, log)
	}
	release()
	run.wait(t)
	require.Empty(t, b.sh(t, "grep -rlE 's3cret|pem' /var/lib/forge/runs/%s || :", spec.ID))
}

func testRefusedStarts(t *testing.T, b *box) {
	c := b.dial(t)
	for reason, spec := range map[string]sshexec.RunSpec{
		"the user nosuch does not exist":       {User: "nosuch"},
		"the directory /nosuch does not exist": {Dir: "/nosuch"},
	} {
		spec.ID, spec.Script = newID(), []byte("echo ran")
		spec.Files = map[string][]byte{"key": []byte("pem")}
		_, err := c.Attach(t.Context(), spec, 0, io.Discard)
		require.Equal(t, &sshexec.StartError{ID: spec.ID, Reason: reason}, err)
		_, log := attach(t, c, sshexec.RunSpec{ID: spec.ID, Script: []byte("echo ran")})
		require.Equal(t, "ran\n", log, "the ID is still free")
	}
}

// A client that is lost while it sends a spec starts nothing.
func testCutSpec(t *testing.T, b *box) {
	target := b.target
	target.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &cutConn{Conn: conn, left: 1 << 20}, err
	}
	c, err := sshexec.Dial(t.Context(), target)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	id := newID()
	_, err = c.Attach(t.Context(), sshexec.RunSpec{
		ID: id, Script: []byte("echo ran"), Files: map[string][]byte{"big": make([]byte, 4<<20)},
	}, 0, io.Discard)
	require.ErrorIs(t, err, sshexec.ErrUnknown)
	b.followerGone(t, id)
	status, err := b.dial(t).Status(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunUnknown, status.State)
}

// cutConn closes after so many bytes were written.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		_ = c.Close()
	}
	return c.Conn.Write(p)
}

func testFence(t *testing.T, b *box) {
	c := b.dial(t)
	key, id := newID(), newID()
	spec := func(id string, epoch int64) sshexec.RunSpec {
		return sshexec.RunSpec{ID: id, Script: []byte("echo ran"), Fence: sshexec.Fence{Key: key, Epoch: epoch}}
	}
	_, log := attach(t, c, spec(id, 5))
	require.Equal(t, "ran\n", log)
	_, log = attach(t, c, spec(id, 4))
	require.Equal(t, "ran\n", log, "to follow needs no lease")
	late := newID()
	_, err := c.Attach(t.Context(), spec(late, 4), 0, io.Discard)
	require.ErrorIs(t, err, sshexec.ErrFenced)
	status, err := c.Status(t.Context(), late)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunUnknown, status.State)
	_, err = c.Run(t.Context(), sshexec.Command{Script: "true", Fence: sshexec.Fence{Key: key, Epoch: 4}})
	require.ErrorIs(t, err, sshexec.ErrFenced, "runs and commands share the fence")

	held, release := b.held(t)
	held.Fence = sshexec.Fence{Key: key, Epoch: 5}
	run := b.follow(t, held)
	_, err = c.Run(t.Context(), sshexec.Command{Script: "true", Fence: sshexec.Fence{Key: key, Epoch: 5}})
	require.NoError(t, err, "a run that is followed does not hold the fence")
	release()
	run.wait(t)
}

func testBackgroundChild(t *testing.T, b *box) {
	c := b.dial(t)
	status, log := attach(t, c, sshexec.RunSpec{ID: newID(), Script: []byte("sleep 1000 & echo $!")})
	require.Equal(t, sshexec.RunExited, status.State)
	require.Equal(t, "gone\n", b.sh(t, "[[ -e /proc/%s/exe ]] || echo gone", strings.TrimSpace(log)))
}

func testUnknown(t *testing.T, b *box) {
	c := b.dial(t)
	id := newID()
	for _, ask := range []func() (sshexec.RunStatus, error){
		func() (sshexec.RunStatus, error) { return c.Status(t.Context(), id) },
		func() (sshexec.RunStatus, error) { return c.Follow(t.Context(), id, 0, io.Discard) },
	} {
		status, err := ask()
		require.NoError(t, err)
		require.Equal(t, sshexec.RunStatus{State: sshexec.RunUnknown}, status)
	}
	require.NoError(t, c.Clean(t.Context(), id))
	_, err := c.Status(t.Context(), "../x")
	require.Error(t, err)
}

func testClean(t *testing.T, b *box) {
	c := b.dial(t)
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran; exit 2")}
	attach(t, c, spec)
	for range 2 {
		require.NoError(t, c.Clean(t.Context(), spec.ID))
		require.Equal(t, "claim\nstatus\n", b.sh(t, "ls /var/lib/forge/runs/%s", spec.ID))
	}
	status, log := attach(t, c, spec)
	require.Equal(t, exited(2), status)
	require.Empty(t, log)

	held, release := b.held(t)
	run := b.follow(t, held)
	require.ErrorContains(t, c.Clean(t.Context(), held.ID), "still running")
	release()
	_, log = run.wait(t)
	require.Equal(t, "held\n", log)
}

func testFailingWriter(t *testing.T, b *box) {
	c := b.dial(t)
	full := errors.New("full")
	id := newID()
	_, err := c.Attach(t.Context(), sshexec.RunSpec{ID: id, Script: []byte("echo line; sleep 1000")}, 0, writerFunc(func([]byte) (int, error) {
		return 0, full
	}))
	require.ErrorIs(t, err, full)
	_, err = c.Stop(t.Context(), id)
	require.NoError(t, err)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
