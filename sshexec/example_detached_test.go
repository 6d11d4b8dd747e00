package sshexec_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// A run goes on whatever becomes of the connection. Whoever attaches to its ID
// reads on where the reading stopped.
func ExampleClient_Attach() {
	var client *sshexec.Client // from Dial or a Pool
	ctx := context.Background()

	spec := sshexec.RunSpec{
		ID:     "deploy-42",
		User:   "site-7",
		Dir:    "/srv/site-7",
		Script: []byte("git pull\ncomposer install --no-dev\n"),
		Env:    map[string]string{"APP_KEY": "secret"},
	}
	var read int64
	for {
		log := &counter{to: os.Stdout}
		status, err := client.Attach(ctx, spec, read, log)
		read += log.n
		if errors.Is(err, sshexec.ErrUnknown) {
			continue // the connection was lost; the run was not
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(status.State, status.ExitCode)
		return
	}
}

// counter counts what was read of the log, to know where to read on.
type counter struct {
	to *os.File
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// Stop ends a run that has started and bars one that has not.
func ExampleClient_Stop() {
	var client *sshexec.Client // from Dial or a Pool

	status, err := client.Urgent().Stop(context.Background(), "deploy-42")
	if err != nil {
		fmt.Println(err)
		return
	}
	switch status.State {
	case sshexec.RunBarred:
		fmt.Println("it had not started, and never will")
	case sshexec.RunExited:
		fmt.Println("it came to its end:", status.ExitCode)
	case sshexec.RunSignaled:
		fmt.Println("it was stopped:", status.Signal)
	}
}
