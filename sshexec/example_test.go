package sshexec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// exampleServer stands for a real one: it greets, and fails at the rest.
func exampleServer() *sshtest.Server {
	server, err := sshtest.Start(&sshtest.Options{Handler: func(_ context.Context, cmd *sshtest.Exec) int {
		if cmd.Script != `echo "hello $1"` {
			_, _ = io.WriteString(cmd.Stderr, "it broke")
			return 3
		}
		_, _ = fmt.Fprintln(cmd.Stdout, "hello", cmd.Args[0])
		return 0
	}})
	if err != nil {
		panic(err)
	}
	return server
}

func ExampleClient_Run() {
	server := exampleServer()
	defer server.Close()
	ctx := context.Background()
	client, err := sshexec.Dial(ctx, sshexec.Target{
		Addr:     server.Addr,
		User:     "root",
		Signers:  server.Target().Signers,
		HostKeys: sshexec.Pinned(server.HostKey),
	})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	result, err := client.Run(ctx, sshexec.Command{
		Script: `echo "hello $1"`,
		Args:   []string{"it's me; $(reboot)"}, // values are arguments, never part of the script
	})
	fmt.Printf("%s%v\n", result.Stdout, err)

	_, err = client.Run(ctx, sshexec.Command{Script: "false"})
	var exit *sshexec.ExitError
	if errors.As(err, &exit) {
		fmt.Println(exit.ExitCode, exit.Stderr)
	}
	// Output:
	// hello it's me; $(reboot)
	// <nil>
	// 3 it broke
}

func ExamplePool() {
	server := exampleServer()
	defer server.Close()
	pool := sshexec.NewPool(sshexec.PoolConfig{})
	defer pool.Close()

	// Making a client costs nothing; the first command connects, others share
	// the connection.
	client := pool.Client("server-1", func(context.Context) (sshexec.Target, error) {
		return server.Target(), nil // look it up, unseal its key
	})
	for _, name := range []string{"a", "b"} {
		result, err := client.Run(context.Background(), sshexec.Command{Script: `echo "hello $1"`, Args: []string{name}})
		if err != nil {
			panic(err)
		}
		fmt.Print(string(result.Stdout))
	}
	fmt.Println(server.Accepted(), "connection")
	// Output:
	// hello a
	// hello b
	// 1 connection
}

func ExampleClient_Upload() {
	server := exampleServer()
	defer server.Close()
	ctx := context.Background()
	client, err := sshexec.Dial(ctx, server.Target())
	if err != nil {
		panic(err)
	}
	defer client.Close()

	err = client.Upload(ctx,
		sshexec.UploadSpec{Path: "/app.conf", Body: strings.NewReader("debug = off\n")},
		sshexec.UploadSpec{Path: "/secret", Body: strings.NewReader("..."), Mode: 0o600},
	)
	if err != nil {
		panic(err)
	}
	var back bytes.Buffer
	err = client.Download(ctx, sshexec.DownloadSpec{Path: "/app.conf", Body: &back})
	fmt.Print(back.String(), err)
	// Output:
	// debug = off
	// <nil>
}
