package forge_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// printer is a world whose commands print what the test says.
type printer struct {
	*world
	server *forge.Server
	output string
	chunk  int // bytes a write; 0 for all at once
	end    func(work forge.TestWork, from int64, err error) error
}

func newPrinter(t *testing.T, store forge.Store, q queue.Queue, maxLog int64) *printer {
	p := &printer{chunk: 1000, end: func(_ forge.TestWork, _ int64, err error) error { return err }}
	w := newWorld(t, store, q, providertest.FakeConfig{})
	w.maxLog = maxLog
	p.world = w.join(store, q).installs()
	p.Stub(forge.KindExec, func(ctx context.Context, work forge.TestWork) error {
		var from int64
		err := work.Deliver(ctx, func(at int64, log io.Writer) error {
			from = at
			for rest := p.output[at:]; rest != ""; {
				n := min(p.chunk, len(rest))
				if _, err := io.WriteString(log, rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		})
		return p.end(work, from, err)
	})
	return p
}

// run runs a command to its end and returns its lines.
func (p *printer) run() (lines []forge.Line, a *forge.Action, err error) {
	a, err = p.Servers.Exec(p.t.Context(), p.server.ID, forge.ExecOpts{Command: "make", User: "root"})
	require.NoError(p.t, err)
	a, err = p.Actions.Wait(p.t.Context(), a.ID)
	for line, err := range p.Actions.Log(p.t.Context(), a.ID, 0, 0) {
		require.NoError(p.t, err)
		require.EqualValues(p.t, len(lines), line.Number)
		lines = append(lines, line)
	}
	return lines, a, err
}

func texts(lines []forge.Line) (all []string) {
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

func TestLogAtItsBound(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]string{
		"text":        strings.Repeat("0123456789\n", 100),
		"empty lines": strings.Repeat("\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				p := newPrinter(t, store, q, 200)
				p.server = p.addServer("")
				p.output, p.chunk = output, 7
				var turns []error
				p.end = func(work forge.TestWork, _ int64, err error) error {
					turns = append(turns, err)
					if len(turns) < 3 {
						return work.Wait(time.Second) // it is taken up again, and says so once
					}
					return nil
				}
				defer p.start()()
				lines, _, err := p.run()
				require.NoError(t, err, "the run goes on")
				for _, err := range turns {
					require.ErrorIs(t, err, forge.ErrLogFull)
				}
				said, size := 0, 0
				for _, l := range lines {
					if l.Type == forge.LineSystem {
						said++
						require.Contains(t, l.Text, "200 bytes")
						continue
					}
					size += len(l.Text) + 1
				}
				require.Equal(t, 1, said)
				require.LessOrEqual(t, size, 200)
				require.Greater(t, size, 180)
			})
		})
	}
}

func TestSecretsAreMaskedAcrossChunks(t *testing.T) {
	t.Parallel()
	for _, chunk := range []int{1, 3, 1000} {
		t.Run(strconv.Itoa(chunk), func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				p := newPrinter(t, store, q, 0)
				p.chunk = chunk
				defer p.start()()
				var a *forge.Action
				p.server, a = p.create(func(o *forge.ServerOpts) { o.Stack.Database = forge.MariaDB })
				_, err := p.Actions.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				p.server = p.read(p.server.ID)
				c, err := p.Servers.Credentials(t.Context(), p.server.ID)
				require.NoError(t, err)
				secret := c.DatabasePassword.Reveal()
				require.NotEmpty(t, secret)
				p.output = "password: " + secret + ";\n" + secret + secret + "\nlast " + secret
				lines, _, err := p.run()
				require.NoError(t, err)
				require.Equal(t, []string{"password: [secret];", "[secret][secret]", "last [secret]"}, texts(lines))
			})
		})
	}
}

func TestLongLinesAreCut(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		p := newPrinter(t, store, q, 0)
		p.server = p.addServer("")
		p.output = strings.Repeat("x", 200<<10) + "\nshort\n\xff\x00\n"
		defer p.start()()
		lines, a, err := p.run()
		require.NoError(t, err)
		require.Len(t, lines, 3)
		require.Equal(t, strings.Repeat("x", 64<<10)+" [cut at 64 KiB]", lines[0].Text)
		require.Equal(t, "short", lines[1].Text)
		require.NotContains(t, lines[2].Text, "\x00")
		require.EqualValues(t, len(p.output), a.Cursor.Offset)
	})
}

// faultyStore fails to store now and then, before or after it was done, with an
// error of its own or of a class.
type faultyStore struct {
	forge.Store
	fail func() (before, after bool)
}

func (s *faultyStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	before, after := s.fail()
	if before {
		return errBroken
	}
	if err := s.Store.Update(ctx, fn); err != nil || !after {
		return err
	}
	return &forge.Error{Class: forge.ErrUnavailable, Err: errBroken}
}

// The reading goes on at the cursor when the store answers again: every line is
// there, once, whatever failed.
func TestLogGoesOnAfterErrorsOfTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var delivering atomic.Bool
		var updates atomic.Int32
		faulty := &faultyStore{Store: store, fail: func() (before, after bool) {
			if !delivering.Load() {
				return false, false
			}
			n := updates.Add(1) % 7
			return n == 3, n == 6
		}}
		p := newPrinter(t, faulty, q, 0)
		p.server = p.addServer("")
		var want []string
		for range 15000 {
			want = append(want, strings.Repeat("y", rand.IntN(2000)))
		}
		p.output, p.chunk = strings.Join(want, "\n")+"\n", 64<<10
		var offsets []int64
		p.end = func(_ forge.TestWork, from int64, err error) error {
			offsets = append(offsets, from)
			delivering.Store(false)
			if err != nil {
				require.ErrorIs(t, err, errBroken)
			}
			return err
		}
		p.Wrap(forge.KindExec, func(_ context.Context, _ forge.TestWork, run func() error) error {
			delivering.Store(true)
			return run()
		})
		defer p.start()()
		lines, a, err := p.run()
		require.NoError(t, err)
		require.Equal(t, want, texts(lines))
		require.Equal(t, 1, a.Attempt)
		require.Greater(t, len(offsets), 3)
		require.IsIncreasing(t, offsets, "what was stored is not read again")
	})
}

// slowStore takes a second for each update, while it is on.
type slowStore struct {
	forge.Store
	on atomic.Bool
}

func (s *slowStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if s.on.Load() {
		time.Sleep(time.Second) // of the bubble
	}
	return s.Store.Update(ctx, fn)
}

// The output is read on while its lines are stored, and the next write has all of
// them; but no more of it is read ahead than has a bound.
func TestLogIsReadOnWhileItIsStored(t *testing.T) {
	for name, line := range map[string]string{"text": strings.Repeat("y", 79), "empty lines": ""} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				slow := &slowStore{Store: store}
				p := newPrinter(t, slow, q, 0)
				p.server = p.addServer("")
				const count, atOnce = 100_000, 100
				pauses, ahead, most := 0, 0, 0
				p.Stub(forge.KindExec, func(ctx context.Context, work forge.TestWork) error {
					slow.on.Store(true)
					defer slow.on.Store(false)
					return work.Deliver(ctx, func(_ int64, log io.Writer) error {
						for range count / atOnce {
							began := time.Now()
							if _, err := io.WriteString(log, strings.Repeat(line+"\n", atOnce)); err != nil {
								return err
							}
							if ahead += atOnce; time.Since(began) > 0 {
								pauses, ahead = pauses+1, 0
							}
							most = max(most, ahead)
						}
						return nil
					})
				})
				defer p.start()()
				got, _, err := p.run()
				require.NoError(t, err)
				require.Len(t, got, count)
				require.Positive(t, pauses)
				require.Less(t, pauses, count*(len(line)+1)/(1<<20)+count/32768+1)
				require.Less(t, most*(len(line)+1), 3<<19)
				require.Less(t, most, 3<<14)
			})
		})
	}
}

// The step that the output names last is where the work failed.
func TestStepsAreReadFromTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		p := newPrinter(t, store, q, 0)
		p.server = p.addServer("")
		p.output = "step 1 of 3: update\nfetched\nstep 2 of 3: install nginx\nE: no space left\n"
		p.end = func(forge.TestWork, int64, error) error { return errors.New("exit status 100") }
		defer p.start()()
		_, a, err := p.run()
		require.Error(t, err)
		require.Equal(t, "stack: install nginx", a.Failure.Stage)
		require.Equal(t, []any{2, 3, "install nginx"}, []any{a.Step, a.Steps, a.StepName})
	})
}
