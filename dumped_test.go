package forge_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/hostkeys/hostkeystest"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue/river"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// open is a Sealer that seals nothing.
type open struct{}

func (open) Seal(_ context.Context, s secret.Secret, _ string) (secret.Sealed, error) {
	return secret.Sealed(s.Reveal()), nil
}

func (open) Open(_ context.Context, sealed secret.Sealed, _ string) (secret.Secret, error) {
	return secret.New(string(sealed)), nil
}

// noting is a Sealer that remembers what it sealed.
type noting struct {
	secret.Sealer
	mu     sync.Mutex
	sealed map[string]string // by the place, and how many were sealed before
}

func (n *noting) Seal(ctx context.Context, s secret.Secret, place string) (secret.Sealed, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sealed[fmt.Sprint(place, " ", len(n.sealed))] = s.Reveal()
	return n.Sealer.Seal(ctx, s, place)
}

// dumped is a program with its records and its queue in one database.
type dumped struct {
	*forge.Forge
	t      *testing.T
	store  forge.Store
	url    string
	sealer *noting
	name   string // of the server; no secret
	// hostKeys are those of the machine, from the first connection on.
	hostKeys *hostkeystest.Machine
	planted  map[string]string
	prints   chan string   // what the next run prints
	printed  chan struct{} // has a value when it did
	goOn     chan struct{} // lets the run end
}

func newDumped(t *testing.T, sealer secret.Sealer) *dumped {
	d := &dumped{t: t, url: pgtest.Start(t, pgtest.Options{}).URL(), name: "web-" + strings.ToLower(rand.Text()),
		sealer: &noting{Sealer: sealer, sealed: map[string]string{}}, planted: map[string]string{},
		prints: make(chan string, 1), printed: make(chan struct{}), goOn: make(chan struct{})}
	pool := pgtest.Pool(t, d.url)
	d.store = d.open(pool)
	queue, err := river.New(river.Config{Pool: pool, Schema: "queue"})
	require.NoError(t, err)
	require.NoError(t, queue.Migrate(t.Context()))
	server := sshtest.New(t, &sshtest.Options{AnyKey: true, Handler: d.command, Run: d.run})
	cloud := providertest.NewFake(providertest.FakeConfig{
		Properties: provider.Properties{InjectsHostKey: true},
		Dial: func(ctx context.Context, spec provider.Spec) (net.Conn, error) {
			if d.hostKeys == nil {
				key, err := ssh.ParsePrivateKey(spec.HostKey)
				if err != nil {
					return nil, err
				}
				d.hostKeys = hostkeystest.New(key, func(key ssh.Signer) { server.Set(sshtest.Faults{HostKey: key}) })
			}
			return new(net.Dialer).DialContext(ctx, "tcp", server.Addr)
		},
	})
	d.Forge, err = forge.New(forge.Config{Store: d.store, Queue: queue, Sealer: d.sealer,
		Providers: map[string]provider.Provider{"cloud": cloud}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	ctx, stop := context.WithCancel(t.Context())
	var worker sync.WaitGroup
	worker.Go(func() { require.NoError(t, d.Run(ctx)) })
	t.Cleanup(func() { stop(); worker.Wait() })
	return d
}

func (d *dumped) open(pool *pgxpool.Pool) forge.Store {
	store, err := postgres.New(postgres.Config{Pool: pool})
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, store.Close()) })
	require.NoError(d.t, store.Migrate(d.t.Context()))
	return store
}

// command plays what runs in a connection. The service does not restart, and its
// last words are the secrets of the server.
func (d *dumped) command(_ context.Context, e *sshtest.Exec) int {
	if code, is := d.hostKeys.Answer(e); is {
		return code
	}
	answer := ""
	switch {
	case strings.Contains(e.Script, "ssh-keygen"):
		answer = keyLine + "\n"
	case strings.Contains(e.Script, "ls-remote"):
		answer = strings.Repeat("a", 40) + "\trefs/heads/main\n"
	case strings.Contains(e.Script, "git fetch"):
		answer = strings.Repeat("a", 40) + "\x00Ada\x00First"
	case slices.Contains(e.Args, "nginx"):
		own := d.secrets()
		maps.DeleteFunc(own, func(place, _ string) bool { return !strings.HasPrefix(place, "servers/") })
		_, _ = io.WriteString(e.Stderr, text(own))
		return 7
	}
	_, _ = io.WriteString(e.Stdout, answer)
	return 0
}

// run plays a detached run, which waits in the middle where the test wants that.
func (d *dumped) run(ctx context.Context, run *sshtest.Run) int {
	for _, file := range run.Files {
		_, _ = run.Log.Write(append(file, '\n'))
	}
	select {
	case text := <-d.prints:
		_, _ = io.WriteString(run.Log, text)
		d.printed <- struct{}{}
		select {
		case <-d.goOn:
		case <-ctx.Done():
		}
	default:
	}
	return 0
}

// secrets are all that were made and planted so far, by what they are.
func (d *dumped) secrets() map[string]string {
	d.sealer.mu.Lock()
	defer d.sealer.mu.Unlock()
	all := maps.Clone(d.planted)
	for place, value := range d.sealer.sealed {
		// Those are several in one, which are planted each by itself.
		if !strings.HasPrefix(place, "actions/") && !strings.Contains(place, "/environment") && !strings.Contains(place, "/host_key") {
			all[place] = value
		}
	}
	return all
}

// forgotten are the secrets that nothing accepts once the server is installed.
func (d *dumped) forgotten() map[string]string {
	d.sealer.mu.Lock()
	defer d.sealer.mu.Unlock()
	keys := maps.Clone(d.sealer.sealed)
	maps.DeleteFunc(keys, func(place, _ string) bool { return !strings.Contains(place, "/host_key") })
	require.NotEmpty(d.t, keys)
	return keys
}

// text says secrets, one a line.
func text(secrets map[string]string) string {
	return strings.Join(slices.Sorted(maps.Values(secrets)), "\n") + "\n"
}
