package forge_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// played is a world with one active server, whose machine an SSH server of the
// test plays.
type played struct {
	*world
	server *forge.Server
	ssh    *sshtest.Server
}

// newPlayed makes a machine on which every command is run by handler; nil lets
// all succeed, with nothing to say. Nobody works in the world any more.
func newPlayed(t *testing.T, handler sshtest.Handler, edit ...func(*world, *sshtest.Options)) *played {
	m := &played{}
	if handler == nil {
		handler = func(context.Context, *sshtest.Exec) int { return 0 }
	}
	m.world = newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{
		Dial: func(ctx context.Context, _ provider.Spec) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", m.ssh.Addr)
		},
	})
	opts := sshtest.Options{AnyKey: true, Handler: handler}
	for _, fn := range edit {
		fn(m.world, &opts)
	}
	m.ssh = sshtest.New(t, &opts)
	first := m.join(m.store, queuememory.New(queuememory.Config{})).installs()
	stop := first.start()
	var a *forge.Action
	m.server, a = first.create()
	_, err := first.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	stop()
	m.world = m.join(m.store, queuememory.New(queuememory.Config{}))
	return m
}

// rebooting is a machine that goes down when it is asked to.
type rebooting struct {
	mu    sync.Mutex
	boot  string
	state string
	asked int
	on    func(*rebooting) // when it goes down; nil to stay as it is
	looks []string         // the states at the next looks
}

func newRebooting() *rebooting { return &rebooting{boot: uuid.NewString(), state: "running"} }

func (m *rebooting) run(_ context.Context, e *sshtest.Exec) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case strings.Contains(e.Script, "systemctl reboot"):
		m.asked++
		if e.Args[0] == m.boot && m.on != nil {
			m.on(m)
		}
	case strings.Contains(e.Script, "is-system-running"):
		state := m.state
		if len(m.looks) > 0 {
			state, m.looks = m.looks[0], m.looks[1:]
		}
		_, _ = fmt.Fprintf(e.Stdout, "%s\n%s\n", m.boot, state)
	case strings.Contains(e.Script, "boot_id"):
		_, _ = fmt.Fprintln(e.Stdout, m.boot)
	}
	return 0
}

func (m *rebooting) times() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func (w *world) texts(action string) (texts []string) {
	for line, err := range w.Actions.Log(w.t.Context(), action, 0, 0) {
		require.NoError(w.t, err)
		texts = append(texts, line.Text)
	}
	return texts
}

func TestRebootWaitsForTheNextBoot(t *testing.T) {
	t.Parallel()
	box := newRebooting()
	m := newPlayed(t, box.run)
	next := uuid.NewString()
	box.on = func(b *rebooting) {
		b.boot, b.looks, b.state = next, []string{"starting"}, "degraded"
		go m.ssh.CloseConns() // maybe before the answer
	}
	old := box.boot
	a, err := m.Servers.Reboot(t.Context(), m.server.ID)
	require.NoError(t, err)
	site := m.addSite(m.server, "made-since.example.com")
	defer m.start()()
	a, err = m.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, old, a.Input.Boot)
	require.Equal(t, 1, box.times())
	require.Equal(t, "reboot: waiting for systemd", a.Stage)
	require.Contains(t, a.Locks, "site-"+site.ID)
	require.Equal(t, []string{"asking the machine to restart", "the machine is back, and degraded"}, m.texts(a.ID))
	require.Equal(t, forge.ServerActive, m.read(m.server.ID).Status)
}

// A reboot needs all sites at rest at once, and gets that while they are deployed
// in turns without a pause.
func TestRebootAmongSteadyDeployments(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		srv := w.addServer("")
		sites := []*forge.Site{w.addSite(srv, "one.example.com"), w.addSite(srv, "two.example.com")}
		running := make(chan struct{}, 2)
		w.Stub(forge.KindDeploy, func(context.Context, forge.TestWork) error {
			running <- struct{}{}
			defer func() { <-running }()
			time.Sleep(5 * time.Second)
			return nil
		})
		w.Stub(forge.KindReboot, func(context.Context, forge.TestWork) error {
			require.Empty(t, running)
			time.Sleep(5 * time.Second)
			require.Empty(t, running)
			return nil
		})
		defer w.start()()
		deploy := func(seconds int) {
			for i := range seconds {
				_, err := w.Deployments.Trigger(t.Context(), sites[i%2].ID, nil)
				require.NoError(t, err)
				time.Sleep(time.Second)
			}
		}
		deploy(6)
		first, err := w.Servers.Reboot(t.Context(), srv.ID)
		require.NoError(t, err)
		deploy(1)
		second, err := w.Servers.Reboot(t.Context(), srv.ID)
		require.NoError(t, err)
		deploy(60)
		for _, a := range []*forge.Action{first, second} {
			a = w.get(a.ID)
			require.Equal(t, forge.ActionFinished, a.Status)
			require.Less(t, a.Started.Sub(a.Created), 20*time.Second)
		}
		third, err := w.Servers.Reboot(t.Context(), srv.ID)
		require.NoError(t, err)
		deploy(1)
		require.NoError(t, w.Actions.Cancel(t.Context(), third.ID))
		time.Sleep(time.Minute)
		requireQuiet(t, w.contents())
	})
}

// The shutdown may end the script that asked for it.
func TestRebootThatEndsItsRequest(t *testing.T) {
	t.Parallel()
	box := newRebooting()
	m := newPlayed(t, func(ctx context.Context, e *sshtest.Exec) int {
		code := box.run(ctx, e)
		if strings.Contains(e.Script, "systemctl reboot") {
			code = 143
		}
		return code
	})
	box.on = func(b *rebooting) { b.boot = uuid.NewString() }
	defer m.start()()
	a, err := m.Servers.Reboot(t.Context(), m.server.ID)
	require.NoError(t, err)
	_, err = m.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, 1, box.times())
}

// A machine that refuses, as one whose disk is full, is not waited for.
func TestRebootThatIsRefused(t *testing.T) {
	t.Parallel()
	box := newRebooting()
	m := newPlayed(t, func(ctx context.Context, e *sshtest.Exec) int {
		if strings.Contains(e.Script, "systemctl reboot") {
			return 1
		}
		return box.run(ctx, e)
	})
	defer m.start()()
	a, err := m.Servers.Reboot(t.Context(), m.server.ID)
	require.NoError(t, err)
	_, err = m.Actions.Wait(t.Context(), a.ID)
	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, forge.ReasonExit, failed.Action.Failure.Reason)
}

// What a worker that died left is gone on with: another boot is the end, whoever
// asked for it, and one that nobody began is asked for again after a while.
func TestRebootThatWasTakenOver(t *testing.T) {
	t.Parallel()
	box := newRebooting()
	m := newPlayed(t, box.run)
	box.on = func(b *rebooting) { b.boot = uuid.NewString() }
	left := func(boot string, tries int) *forge.Action {
		now := time.Now()
		a := &forge.Action{ID: newID(), Kind: forge.KindReboot, Server: m.server.ID, Epoch: 2, Tries: tries, Attempt: 1,
			Subject: forge.Subject{Kind: forge.SubjectServer, ID: m.server.ID}, Input: forge.Input{Boot: boot},
			Locks: []string{"server-" + m.server.ID}, Stage: "reboot: waiting for SSH",
			Status: forge.ActionRunning, Started: now, RunAt: now, Deadline: now.Add(time.Minute), Timeout: time.Minute}
		m.put(func(tx forge.Tx) error { return tx.Actions().Insert(a) })
		require.NoError(t, m.queue.Enqueue(t.Context(), queue.Job{ID: a.ID + ".2", Kind: string(a.Kind), Pool: "ssh"}))
		return a
	}
	defer m.start()()
	_, err := m.Actions.Wait(t.Context(), left(uuid.NewString(), 0).ID)
	require.NoError(t, err)
	require.Zero(t, box.times(), "it was rebooted already")
	_, err = m.Actions.Wait(t.Context(), left(box.boot, 20).ID)
	require.NoError(t, err)
	require.Equal(t, 1, box.times())
}

func TestRebootWithoutReturn(t *testing.T) {
	t.Parallel()
	box := newRebooting()
	m := newPlayed(t, box.run, func(w *world, _ *sshtest.Options) {
		w.timeouts = map[forge.Kind]time.Duration{forge.KindReboot: 2 * time.Second}
	})
	box.on = func(*rebooting) { m.ssh.Set(sshtest.Faults{RefuseSessions: true}) }
	defer m.start()()
	a, err := m.Servers.Reboot(t.Context(), m.server.ID)
	require.NoError(t, err)
	a, err = m.Actions.Wait(t.Context(), a.ID)
	require.Error(t, err)
	require.Equal(t, forge.ReasonTimeout, a.Failure.Reason)
	require.Equal(t, "reboot: waiting for SSH", a.Failure.Stage)
	require.Equal(t, 1, box.times())
}

// A cancel ends the waiting, and says that the machine was asked already.
func TestCancelOfAReboot(t *testing.T) {
	t.Parallel()
	box := newRebooting()
	m := newPlayed(t, box.run)
	asked := make(chan struct{})
	box.on = func(b *rebooting) { b.boot, b.state = uuid.NewString(), "starting"; close(asked) }
	defer m.start()()
	a, err := m.Servers.Reboot(t.Context(), m.server.ID)
	require.NoError(t, err)
	<-asked
	for e, err := range m.Events(t.Context(), &forge.EventFilter{After: forge.Beginning, Action: a.ID}) {
		require.NoError(t, err)
		if e.Type == forge.EventLog {
			break
		}
	}
	require.NoError(t, m.Actions.Cancel(t.Context(), a.ID))
	a, err = m.Actions.Wait(t.Context(), a.ID)
	require.Error(t, err)
	texts := m.texts(a.ID)
	if a.Status == forge.ActionFailed { // the cancel came between the question and its answer
		require.Equal(t, forge.ReasonUnknown, a.Failure.Reason)
		return
	}
	require.Equal(t, forge.ActionCancelled, a.Status)
	require.Regexp(t, "^cancelled; it came as far as: reboot: waiting for (SSH|systemd)$", texts[len(texts)-1])
}
