package forge_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// A body whose length nobody says is cut off where it is too large.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	r := h.push(1).request()
	r.ContentLength, r.Body = -1, io.NopCloser(endless{})
	require.Equal(t, http.StatusRequestEntityTooLarge, h.serve(r).status)
	r = h.push(1).request()
	r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	require.Equal(t, hookAnswer{400, "error", "the body could not be read to its end", ""}, h.serve(r))
	require.Empty(t, h.deliveries())
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// What needs no body to be refused has none read.
func TestNoBodyIsRead(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	for name, edit := range map[string]func(*http.Request){
		"a GET":        func(r *http.Request) { r.Method = http.MethodGet },
		"no site":      func(r *http.Request) { r.URL.Path = "/" + newID() },
		"no signature": func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") },
		"a form":       func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"a large one":  func(r *http.Request) { r.ContentLength = 25<<20 + 1 },
		"a wrong token": func(r *http.Request) {
			r.Header.Set("X-Gitlab-Event", "Push Hook")
			r.Header.Set("X-Gitlab-Token", "x")
		},
		"a deploy URL": func(r *http.Request) { r.URL.Path += "/" + h.token },
	} {
		r := h.push(1).request()
		edit(r)
		r.Body = unread{t, name}
		h.serve(r)
	}
}

type unread struct {
	t    *testing.T
	name string
}

func (u unread) Read([]byte) (int, error) { u.t.Error(u.name); return 0, io.EOF }
func (unread) Close() error               { return nil }

// Another 32 requests of the site are being read.
func TestManyBodiesAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		broken := &brokenStore{Store: store}
		h := newHooked(t, newWorld(t, broken, q, providertest.FakeConfig{}))
		release := make(chan struct{})
		var reading sync.WaitGroup
		for i := range 32 {
			reading.Go(func() {
				r := h.push(i).request()
				r.Body = io.NopCloser(io.MultiReader(blocked{release}, r.Body))
				require.Equal(t, http.StatusAccepted, h.serve(r).status)
			})
		}
		synctest.Wait()
		broken.view = errors.New("it is not asked")
		many := hookAnswer{503, "error", "too many requests for this site at once", ""}
		require.Equal(t, many, h.send(h.push(100)))
		require.Equal(t, many, h.send(delivery{method: http.MethodPost, path: "/" + h.site.ID + "/guessed"}))
		broken.view = nil
		close(release)
		reading.Wait()
		require.Equal(t, http.StatusAccepted, h.send(h.push(100)).status)
		require.Len(t, h.contents().Deployments, 1)
	})
}

// A push that was read for one branch is not decided for another.
func TestBranchChangesMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		h := newHooked(t, newWorld(t, store, q, providertest.FakeConfig{}))
		release := make(chan struct{})
		var reading sync.WaitGroup
		reading.Go(func() {
			r := h.push(1).request()
			r.Body = io.NopCloser(io.MultiReader(blocked{release}, r.Body))
			require.Equal(t, hookAnswer{503, "error", "it cannot be done now; try again", ""}, h.serve(r))
		})
		synctest.Wait()
		site, _, err := h.Sites.Update(t.Context(), h.site.ID, forge.SiteUpdate{Branch: new("next")})
		require.NoError(t, err)
		require.Equal(t, "next", site.Branch)
		close(release)
		reading.Wait()
		require.Empty(t, h.deliveries())
		require.Equal(t, "ignored", h.send(h.push(1)).Result, "sent again")
	})
}

// blocked has nothing, after a while.
type blocked struct{ until <-chan struct{} }

func (b blocked) Read([]byte) (int, error) { <-b.until; return 0, io.EOF }

// A body that trickles in is cut off after a time, by a real server. One that
// comes at a pace is not.
func TestSlowBody(t *testing.T) {
	const second = 100 << 10
	for name, c := range map[string]struct {
		send, size int // seconds
		want       string
		after      time.Duration
	}{
		"it stalls":        {0, 100, "408 ", 10 * time.Second},
		"it stalls later":  {3, 100, "408 ", 10*time.Second + 3*second*time.Second/(64<<10)},
		"it comes":         {20, 20, "202 ", 19 * time.Second},
		"it comes forever": {100, 100, "408 ", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) { testSlowBody(t, second, c.send, c.size, c.want, c.after) })
	}
}

func testSlowBody(t *testing.T, second, send, size int, want string, after time.Duration) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		h := newHooked(t, newWorld(t, store, q, providertest.FakeConfig{}))
		near, far := net.Pipe()
		server := &http.Server{Handler: h.handler}
		listener := &oneConn{conns: make(chan net.Conn, 1)}
		listener.conns <- far
		var serving sync.WaitGroup
		serving.Go(func() { require.ErrorIs(t, server.Serve(listener), http.ErrServerClosed) })

		began := time.Now()
		d := h.push(1)
		d.body += strings.Repeat(" ", size*second-len(d.body))
		r := d.request()
		var head strings.Builder
		fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n", r.URL.Path, len(d.body))
		require.NoError(t, r.Header.Write(&head))
		_, err := io.WriteString(near, head.String()+"\r\n")
		require.NoError(t, err)
		serving.Go(func() {
			for i := range send {
				if _, err := io.WriteString(near, d.body[i*second:(i+1)*second]); err != nil {
					return // nobody reads any more
				}
				time.Sleep(time.Second)
			}
		})
		answer, err := http.ReadResponse(bufio.NewReader(near), r)
		require.NoError(t, err)
		require.Contains(t, answer.Status, want)
		require.InDelta(t, after.Seconds(), time.Since(began).Seconds(), 0.1)
		require.NoError(t, answer.Body.Close())
		require.NoError(t, near.Close())
		require.NoError(t, server.Close())
		serving.Wait()
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error { l.once.Do(func() { close(l.conns) }); return nil }
func (*oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// Whatever is sent: without the secret nothing is written, and nothing panics.
func FuzzHookHandler(f *testing.F) {
	f.Add("POST", "", "application/json", "push", "sha256="+strings.Repeat("a", 64), hookHead+"1}", false)
	f.Add("POST", "/token", "application/json", "ping", "", "{", true)
	f.Fuzz(func(t *testing.T, method, path, kind, event, signature, body string, signed bool) {
		h := newHooked(t, idle(t))
		d := h.push(1)
		d.body = body
		r := d.request()
		r.Method, r.URL.Path = method, r.URL.Path+path
		r.Header.Set("Content-Type", kind)
		r.Header.Set("X-GitHub-Event", event)
		if !signed {
			r.Header.Set("X-Hub-Signature-256", signature)
		}
		before := h.contents()
		a := h.serve(r)
		if !signed || a.status >= 400 {
			require.Contains(t, []int{400, 401, 404, 405, 415}, a.status)
			require.Equal(t, before, h.contents())
		}
	})
}
