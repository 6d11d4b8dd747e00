// Package rotation tests that control keys are rotated over a fleet of real SSH
// servers by processes that really die: the workers are the test binary itself,
// started anew, with the records in SQLite.
package rotation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/sqlite"
)

// The environment of a worker: the directory of the records, and the number of the
// write by which it is killed, if any.
const (
	workerVariable = "FORGE_ROTATION_WORKER"
	writesVariable = "FORGE_ROTATION_WRITES"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(workerVariable); dir != "" {
		if err := work(dir); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// platform is a program that uses forge.
type platform struct {
	*forge.Forge
	store *sqlite.Store
	keys  *tink.Keyset
}

// mortalStore kills its process before the write after the last one that is left.
type mortalStore struct {
	*sqlite.Store
	left atomic.Int64
}

func (s *mortalStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if s.left.Add(-1) < 0 {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		return errors.Join(err, errors.New("this process is dead"))
	}
	return s.Store.Update(ctx, fn)
}

// open opens the records, for a number of writes.
func open(ctx context.Context, dir string, machines static.Config, writes int64) (*platform, error) {
	keys, err := tink.Open(filepath.Join(dir, "keyset"))
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, filepath.Join(dir, "forge.db"))
	if err != nil {
		return nil, err
	}
	mortal := &mortalStore{Store: store}
	mortal.left.Store(writes)
	f, err := forge.New(forge.Config{
		Store: mortal, Sealer: keys, Logger: slog.New(slog.DiscardHandler), Lease: 3 * time.Second,
		Providers: map[string]provider.Provider{"own": static.New(machines)}, Pools: queue.Pools{"provision": 16},
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &platform{f, store, keys}, nil
}

func (p *platform) close() error { return errors.Join(p.Close(), p.store.Close()) }

// work is the main of a worker's process. It works until its standard input ends,
// as it does when the test does, however that ends.
func work(dir string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	writes := int64(math.MaxInt64)
	if text := os.Getenv(writesVariable); text != "" {
		var err error
		if writes, err = strconv.ParseInt(text, 10, 64); err != nil {
			return err
		}
	}
	p, err := open(ctx, dir, static.Config{}, writes)
	if err != nil {
		return err
	}
	return errors.Join(p.Run(ctx), p.close())
}

// worker is a worker in a process of its own.
type worker struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func startWorker(t *testing.T, dir string, env ...string) *worker {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	w := &worker{cmd: exec.Command(self)}
	w.cmd.Env = append(append(os.Environ(), workerVariable+"="+dir), env...)
	w.cmd.Stderr = os.Stderr
	w.stdin, err = w.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil { // the test failed in between
			_ = w.cmd.Process.Kill()
			_ = w.cmd.Wait()
		}
	})
	return w
}

// killedAt has a worker be killed by SIGKILL at one of its writes.
func killedAt(t *testing.T, dir string, write int) {
	t.Helper()
	w := startWorker(t, dir, fmt.Sprintf("%s=%d", writesVariable, write))
	var died *exec.ExitError
	require.ErrorAs(t, w.cmd.Wait(), &died)
	require.Equal(t, "signal: killed", died.Error())
}

// end asks the process to stop working, and waits until it has.
func (w *worker) end(t *testing.T) {
	t.Helper()
	require.NoError(t, w.stdin.Close())
	require.NoError(t, w.cmd.Wait())
}
