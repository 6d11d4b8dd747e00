package sshexec_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// An exit status may come before the rest of the output, as sshd reads that from a
// pipe. A connection that is lost in between leaves a part that looks whole.
func TestOutputCutAfterExitStatus(t *testing.T) {
	t.Parallel()
	cut := func(session ssh.Channel, conn io.Closer) {
		_, _ = io.WriteString(session, "one\n")
		_ = conn.Close()
	}
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		c := serveOnce(t, "", cut)
		_, err := c.Run(t.Context(), sshexec.Command{Script: "seq 2"})
		require.ErrorIs(t, err, sshexec.ErrUnknown)
	})
	ends := func(log string) func(ssh.Channel, io.Closer) {
		return func(session ssh.Channel, _ io.Closer) {
			_, _ = io.WriteString(session, log)
			_ = session.Close()
		}
	}
	for name, c := range map[string]struct {
		end func(session ssh.Channel, conn io.Closer)
		log string
		err error
	}{
		"follow":                           {cut, "one\n", sshexec.ErrUnknown},
		"follow, and the connection lives": {ends("one\n"), "one\n", sshexec.ErrUnknown},
		"follow to the end":                {ends("one\ntwo\n"), "one\ntwo\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := serveOnce(t, "forge-run: copied 12\nforge-run: state 12 exited 0 success\n", c.end)
			var log bytes.Buffer
			status, err := client.Follow(t.Context(), "deploy", 4, &log)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, LogSize: 12}, status)
			require.Equal(t, c.log, log.String())
		})
	}
}

// serveOnce returns a client of a server that answers one command with a report on
// stderr and exit status 0, and leaves the rest to end.
func serveOnce(t *testing.T, report string, end func(session ssh.Channel, conn io.Closer)) *sshexec.Client {
	t.Helper()
	host, _ := newKey(t)
	signer, _ := newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		return nil, nil
	}}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-served
	})
	go func() {
		defer close(served)
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		conn, channels, requests, err := ssh.NewServerConn(raw, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		session, requests, err := (<-channels).Accept()
		if err != nil {
			return
		}
		exec := <-requests
		_ = exec.Reply(true, nil)
		_, _ = io.WriteString(session.Stderr(), report)
		_, _ = session.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
		end(session, conn)
		_ = conn.Wait()
	}()
	c, err := sshexec.Dial(t.Context(), sshexec.Target{
		Addr:     listener.Addr().String(),
		User:     "root",
		Signers:  []ssh.Signer{signer},
		HostKeys: sshexec.Pinned(host.PublicKey()),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}
