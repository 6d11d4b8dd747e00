package faults

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// fault is a column of the table.
type fault struct {
	name     string
	what     string // and when it strikes, for the document
	diskMiB  int
	timeouts map[forge.Kind]time.Duration

	// before strikes a server before the job is asked for; undo, where it is
	// not nil, ends it.
	before func(t *testing.T, w *world) (undo func())
	// passes, where it is not nil, has a channel that is closed when the job has
	// met the fault, which is then over.
	passes func(t *testing.T, w *world, a *forge.Action) (met <-chan struct{})
	// middle strikes when the job waits at its gate.
	middle func(t *testing.T, w *world, j job, a *forge.Action)

	lost    bool // the server does not come back
	missing bool // packages are missing, so that there is something to install
}

// short are timeouts for faults that stay until the deadline.
var short = map[forge.Kind]time.Duration{
	forge.KindProvision: 7 * time.Second, forge.KindInstallStack: time.Minute, forge.KindDeleteServer: 5 * time.Second,
	forge.KindCreateSite: 3 * time.Second, forge.KindSetEnvironment: 3 * time.Second, forge.KindUpdateSite: 3 * time.Second, forge.KindDeploy: 3 * time.Second,
	forge.KindDeleteSite: 3 * time.Second, forge.KindSyncKey: 3 * time.Second, forge.KindRevokeKey: 3 * time.Second,
	forge.KindCutKey: 3 * time.Second, forge.KindEnforceServer: 3 * time.Second, forge.KindRotateKey: 3 * time.Second,
	forge.KindRestartService: 3 * time.Second, forge.KindExec: 3 * time.Second, forge.KindReboot: 3 * time.Second,
	forge.KindAddPHP: 3 * time.Second, forge.KindRemovePHP: 3 * time.Second,
}

// faults are the columns.
var faults = []fault{
	{
		name: "record gone", what: "The record that the job works on is removed from the store while it is in the middle of its work.",
		lost: true,
		middle: func(t *testing.T, w *world, j job, a *forge.Action) {
			w.update(t, func(tx forge.Tx) error { return j.forget(tx, a) })
			w.open(t, "on")
		},
	},
	{
		name: "server gone", what: "The machine was deleted at its provider, behind forge's back, before the job began.",
		timeouts: short, lost: true,
		before: func(t *testing.T, w *world) func() {
			require.NoError(t, w.cloud.Provider.Delete(t.Context(), w.machine.ID))
			w.cloud.cut()
			return nil
		},
	},
	{
		name: "unreachable", what: "The network swallows every packet when the job begins, and no longer once the job has tried to connect.",
		before: unplug,
		passes: func(_ *testing.T, w *world, _ *forge.Action) <-chan struct{} { return w.cloud.dialed },
	},
	{
		name: "unreachable for good", what: "The network swallows every packet until the job is out of time.",
		timeouts: short, before: unplug,
	},
	{
		name: "other host key", what: "The server shows another host key than the one that it is known by.",
		before: func(t *testing.T, w *world) func() {
			undo := w.machine.ChangeHostKey(t)
			w.cloud.cut()
			return undo
		},
	},
	{
		name: "full disk", what: "Not a block is free on the server's disk.", diskMiB: 96,
		before: func(t *testing.T, w *world) func() { return w.machine.FillDisk(t) },
	},
	{
		name: "read-only disk", what: "The disk failed, and the kernel lets nobody write to it any more.", diskMiB: 96,
		lost: true,
		before: func(t *testing.T, w *world) func() {
			w.machine.BreakDisk(t)
			return nil
		},
	},
	{
		name: "no memory", what: "In the middle of the job the machine runs out of memory, and the kernel kills what the job runs.",
		middle: func(t *testing.T, w *world, _ job, _ *forge.Action) {
			w.machine.Starve(t, 64)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_ = w.tell(ctx, "hog") // to nobody, if the kernel chose what waits already
		},
	},
	{
		name: "apt locked", what: "Another holds the lock of apt and dpkg, until the job waits for it.", missing: true,
		before: func(t *testing.T, w *world) func() { return w.machine.LockApt(t) },
		passes: func(t *testing.T, w *world, a *forge.Action) <-chan struct{} {
			met := make(chan struct{})
			go func() {
				for line, err := range w.Actions.Follow(t.Context(), a.ID, 0) {
					if err != nil {
						return
					}
					if strings.Contains(line.Text, "lock-frontend") {
						close(met)
						return
					}
				}
			}()
			return met
		},
	},
	{
		name: "sshd restarts", what: "In the middle of the job the SSH server restarts, and ends every connection.",
		middle: func(t *testing.T, w *world, _ job, _ *forge.Action) {
			w.machine.RestartSSHD(t)
			w.open(t, "on")
		},
	},
	{
		name: "machine reboots", what: "In the middle of the job the machine restarts.",
		middle: func(t *testing.T, w *world, _ job, _ *forge.Action) { w.machine.Restart(t) },
	},
}

func unplug(t *testing.T, w *world) func() {
	w.machine.Unplug(t)
	w.cloud.cut()
	return func() {
		if _, err := w.cloud.Get(context.WithoutCancel(t.Context()), w.machine.ID); err == nil {
			w.machine.Plug(t)
		}
	}
}
