package sshtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// A function of the test plays the server. A test has New(t, ...) instead of
// Start and Close.
func Example() {
	server, err := sshtest.Start(&sshtest.Options{
		Handler: func(_ context.Context, cmd *sshtest.Exec) int {
			if cmd.Script == `systemctl restart "$1"` && cmd.Args[0] == "nginx" {
				return 0
			}
			_, _ = io.WriteString(cmd.Stderr, "no such service")
			return 5
		},
	})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := sshexec.Dial(context.Background(), server.Target())
	if err != nil {
		panic(err)
	}
	defer client.Close()

	for _, service := range []string{"nginx", "ngimx"} {
		_, err = client.Run(context.Background(), sshexec.Command{
			Script: `systemctl restart "$1"`,
			Args:   []string{service},
		})
		fmt.Println(service, err)
	}
	// Output:
	// nginx <nil>
	// ngimx exit status 5: no such service
}

// The connection breaks while the command prints, so nobody knows how it ends.
func ExampleServer_Set() {
	server, err := sshtest.Start(&sshtest.Options{
		Handler: func(_ context.Context, cmd *sshtest.Exec) int {
			_, _ = cmd.Stdout.Write(make([]byte, 1<<20))
			return 0
		},
	})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := sshexec.Dial(context.Background(), server.Target())
	if err != nil {
		panic(err)
	}
	defer client.Close()

	server.Set(sshtest.Faults{DropAfter: 100_000})
	_, err = client.Run(context.Background(), sshexec.Command{Script: "./install"})
	fmt.Println(errors.Is(err, sshexec.ErrUnknown))
	// Output: true
}

// SFTP serves a directory.
func ExampleServer_files() {
	server, err := sshtest.Start(nil)
	if err != nil {
		panic(err)
	}
	defer server.Close()
	_ = os.WriteFile(server.Dir+"/motd", []byte("welcome\n"), 0o600)
	client, err := sshexec.Dial(context.Background(), server.Target())
	if err != nil {
		panic(err)
	}
	defer client.Close()
	err = client.Download(context.Background(), sshexec.DownloadSpec{Path: "/motd", Body: os.Stdout})
	if err != nil {
		panic(err)
	}
	// Output: welcome
}
