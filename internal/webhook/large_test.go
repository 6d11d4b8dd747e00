package webhook_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/webhook"
)

// large are bodies that are large in different ways.
var large = map[string]func() (head, part, tail string){
	"one message": func() (string, string, string) {
		return `{"commits":[{"message":"`, strings.Repeat("x", 1000), `"}],"ref":"refs/heads/main","after":"` + head + `"}`
	},
	"a message of escapes": func() (string, string, string) {
		return `{"commits":[{"message":"`, strings.Repeat(`\u2028\"`, 100), `"}],"ref":"refs/heads/main","after":"` + head + `"}`
	},
	"many commits": func() (string, string, string) {
		return `{"ref":"refs/heads/main","after":"` + head + `","commits":[`, `{"id":"` + head + `","message":"m","added":[],"n":-1.5e3,"b":null},`, `0]}`
	},
	"many fields": func() (string, string, string) {
		return `{"ref":"refs/heads/main","after":"` + head + `",`, `"x":1,`, `"y":2}`
	},
	"many changes": func() (string, string, string) {
		return `{"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"` + head + `"}}},`,
			`{"new":{"type":"tag","name":"v1","target":{"hash":"` + before + `"}}},`, `{}]}}`
	},
	"spaces": func() (string, string, string) { return `{"ref":"refs/heads/main","after":"` + head + `"`, "    ", `}` },
}

// This is not parallel, as it measures the memory of the process.
func TestLargeBodies(t *testing.T) {
	for name, parts := range large {
		first, part, last := parts()
		size := 1 << 20 // under the race detector, more takes long
		if name == "one message" {
			size = 25 << 20
		}
		part = strings.Repeat(part, 1+5000/len(part))
		repeat := (size - len(first) - len(last)) / len(part)
		body := func() io.Reader {
			return io.MultiReader(strings.NewReader(first), &repeated{part: part, left: repeat}, strings.NewReader(last))
		}
		s := systems["github"]
		if name == "many changes" {
			s = systems["bitbucket cloud"]
		}
		h := s.headers("", "")
		mac := signer(theSecret)
		_, err := io.Copy(mac, body())
		require.NoError(t, err)
		for _, header := range []string{"X-Hub-Signature", "X-Hub-Signature-256"} {
			h.Set(header, fmt.Sprintf("sha256=%x", mac.Sum(nil)))
		}
		r, err := webhook.Identify(h)
		require.NoError(t, err)

		most := &watched{Reader: body(), every: size / 8}
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := r.Read(most, main, secrets("older", theSecret))
		require.NoError(t, err, name)
		require.Equal(t, webhook.Change{Ref: main, Commit: head}, b.Change, name)
		grown := int64(most.peak) - int64(before.HeapAlloc)
		t.Logf("%s: %d bytes, the heap grew by %d KiB", name, len(first)+repeat*len(part)+len(last), grown>>10)
		require.Less(t, grown, int64(256<<10), name)
	}
}

// watched notes how much the heap in use is at most, after collections every so
// many bytes.
type watched struct {
	io.Reader
	every int
	read  int
	peak  uint64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if before := w.read; before/w.every != (before+n)/w.every {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak = max(w.peak, m.HeapAlloc)
	}
	w.read += n
	return n, err
}

// repeated is a text again and again.
type repeated struct {
	part string
	left int
	rest string
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.rest == "" {
			if r.left == 0 {
				break
			}
			r.left--
			r.rest = r.part
		}
		moved := copy(p[n:], r.rest)
		n, r.rest = n+moved, r.rest[moved:]
	}
	if n == 0 {
		err = io.EOF
	}
	return n, err
}

func TestBodyByteByByte(t *testing.T) {
	t.Parallel()
	for name, s := range systems {
		r, err := webhook.Identify(s.headers(theSecret, s.body))
		require.NoError(t, err)
		b, err := r.Read(iotest.OneByteReader(strings.NewReader(s.body)), main, secrets(theSecret))
		require.NoError(t, err, name)
		require.Equal(t, webhook.Change{Ref: main, Commit: head}, b.Change, name)
	}
}

func BenchmarkRead(b *testing.B) {
	s := systems["github"]
	body := `{"commits":[` + strings.Repeat(`{"id":"`+head+`","message":"Say \"hello\"","added":["a.php"]},`, 10000) + `0],"ref":"refs/heads/main","after":"` + head + `"}`
	h := s.headers(theSecret, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := webhook.Identify(h)
		require.NoError(b, err)
		_, err = r.Read(strings.NewReader(body), main, secrets(theSecret))
		require.NoError(b, err)
	}
}
