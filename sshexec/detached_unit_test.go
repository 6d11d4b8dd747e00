package sshexec

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec/internal/runcall"
)

func TestScriptsPassShellcheck(t *testing.T) {
	t.Parallel()
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), "needs shellcheck: apt-get install shellcheck")
		t.Skip("needs shellcheck: apt-get install shellcheck")
	}
	for _, name := range []string{"launch.sh", "supervise.sh"} {
		cmd := exec.Command(shellcheck, "--shell=bash", "-")
		cmd.Stdin = bytes.NewReader(embedded(name))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
}

// forgeLock is the warning of a handle that the fence opens, which is no code yet.
var forgeLock = regexp.MustCompile(`Name "Forge::Lock" used only once.*\n`)

func TestScriptsCompile(t *testing.T) {
	t.Parallel()
	end := string(embedded("end.pl"))
	for _, req := range []request{
		{call: "sub last_process {\n" + end + "}\n"},
		{scripts: "attach start follow", fenced: true, call: runcall.Attach},
		{scripts: "follow", call: runcall.Follow},
		{call: runcall.Status},
		{scripts: "stop", call: runcall.Stop},
		{scripts: "clean", call: runcall.Clean},
	} {
		cmd := exec.Command("perl", "-w", "-c")
		cmd.Stdin = strings.NewReader(req.source())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", req.call, out)
		out = forgeLock.ReplaceAll(out, nil)
		require.Equal(t, "- syntax OK\n", string(out), req.call)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]RunStatus{
		"forge-run: state 0 unknown\n":                       {State: RunUnknown},
		"forge-run: state 7 running\n":                       {State: RunRunning, LogSize: 7},
		"forge-run: state 7 exited 0 timeout\n":              {State: RunExited, LogSize: 7},
		"forge-run: state 7 exited 3 exit-code\n":            {State: RunExited, ExitCode: 3, LogSize: 7},
		"forge-run: state 7 killed TERM signal\n":            {State: RunSignaled, Signal: "TERM", LogSize: 7},
		"forge-run: state 7 dumped SEGV core-dump\n":         {State: RunSignaled, Signal: "SEGV", LogSize: 7},
		"sudo: hi\nforge-run: state 7 barred\nbash: warning": {State: RunBarred, LogSize: 7},
	} {
		whole, pieces := &report{}, &report{}
		_, _ = whole.Write([]byte(text))
		for i := range text {
			_, _ = pieces.Write([]byte{text[i]})
		}
		for _, r := range []*report{whole, pieces} {
			got, err := r.outcome("x", nil)
			require.NoError(t, err, text)
			require.Equal(t, want, got, text)
		}
	}
	for text, want := range map[string]error{
		"":                               ErrUnknown,
		"forge-run: state 7 running":     ErrUnknown, // cut off
		"forge-run: state x running\n":   ErrUnknown,
		"forge-run: state 7 exited x\n":  ErrUnknown,
		"forge-run: state 7 asleep\n":    ErrUnknown,
		"forge-run: state\n":             ErrUnknown,
		"x forge-run: state 7 running\n": ErrUnknown,
		"forge-run: fenced\n":            ErrFenced,
		"forge-run: busy\n":              ErrFenceBusy,
		"forge-run: shrunk\nforge-run: state 7 running\n": ErrShrunk,
	} {
		r := &report{}
		_, _ = r.Write([]byte(text))
		_, err := r.outcome("x", nil)
		require.ErrorIs(t, err, want, text)
	}
}

// A script that failed without a refusal tells nothing of the run.
func TestReportOfFailure(t *testing.T) {
	t.Parallel()
	failed := &ExitError{ExitCode: 1, Stderr: "sudo: no"}
	for _, text := range []string{"", "sudo: no\n", "forge-run: state 7 running\n"} {
		r := &report{}
		_, _ = r.Write([]byte(text))
		_, err := r.outcome("x", failed)
		require.ErrorIs(t, err, ErrUnknown, text)
		require.ErrorContains(t, err, "sudo: no", text)
		require.NotErrorAs(t, err, new(*ExitError), text)
	}
	for text, reason := range map[string]string{
		"forge-run: refused no\n": "no", "fence k: create k.new: full\n": "fence k: create k.new: full",
	} {
		r := &report{}
		_, _ = r.Write([]byte(text))
		_, err := r.outcome("x", failed)
		require.Equal(t, &StartError{ID: "x", Reason: reason}, err)
	}
}

func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	r := &report{}
	noise := bytes.Repeat([]byte("x"), 1<<20)
	_, _ = r.Write(noise)
	_, _ = r.Write(noise)
	require.LessOrEqual(t, cap(r.line), 2*maxLine)
	_, _ = r.Write([]byte("\nforge-run: state 1 running\n"))
	require.Equal(t, RunRunning, r.status.State)
}

func TestLifeline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*heartbeat-time.Second)
		defer cancel()
		got, err := io.ReadAll(&lifeline{payload: []byte("payload"), done: ctx.Done()})
		require.NoError(t, err)
		require.Equal(t, "payload\n\n", string(got))
	})
}

func TestInvalidRuns(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]RunSpec{
		"no ID":         {ID: ""},
		"an ID's dot":   {ID: "../x"},
		"no script":     {Script: []byte{}},
		"user":          {User: "-x"},
		"dir":           {Dir: "srv"},
		"NUL in dir":    {Dir: "/srv\x00"},
		"NUL in env":    {Env: map[string]string{"A": "\x00"}},
		"env name":      {Env: map[string]string{"A=B": ""}},
		"bash's own":    {Env: map[string]string{"UID": "0"}},
		"long env":      {Env: map[string]string{"A": strings.Repeat("x", 128<<10)}},
		"file in a dir": {Files: map[string][]byte{"../x": nil}},
		"parent":        {Files: map[string][]byte{"..": nil}},
		"fence":         {Fence: Fence{Key: "a/b"}},
		"limit":         {MaxLog: -1},
		"stop timeout":  {StopTimeout: 1},
	} {
		if name != "no ID" && name != "an ID's dot" {
			spec.ID = "x"
		}
		if spec.Script == nil {
			spec.Script = []byte("true")
		}
		_, err := new(Client).Attach(t.Context(), spec, 0, io.Discard) // connects nowhere
		require.ErrorIs(t, err, ErrInvalid, name)
	}
}
