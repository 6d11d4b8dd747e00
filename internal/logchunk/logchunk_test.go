package logchunk_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/logchunk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sample makes lines as a build prints them, 80 bytes each.
func sample(n int) []logchunk.Line {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	out := make([]logchunk.Line, n)
	for i := range out {
		at = at.Add(time.Duration(i%7) * 100 * time.Microsecond)
		text := fmt.Sprintf("  - Installing vendor%d/package-%x (v%d.%d.%d): Extracting archive %032x", i%97, i*2654435761, i%9, i%31, i%13, i)
		out[i] = logchunk.Line{Number: int64(i) + 1, Time: at, Type: 'o', Text: text[:80]}
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][]logchunk.Line{
		"none":      {},
		"zero":      {{}},
		"sample":    sample(5000),
		"backwards": {{Number: 9, Time: time.UnixMicro(5).UTC(), Text: "ä"}, {Number: -1, Time: time.UnixMicro(-5).UTC(), Type: 255}},
		"large":     {{Text: strings.Repeat("x", logchunk.MaxSize-100)}},
		"many":      make([]logchunk.Line, logchunk.MaxLines),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunk, err := logchunk.Encode(in)
			require.NoError(t, err)
			out, err := logchunk.Decode(chunk)
			require.NoError(t, err)
			require.Len(t, out, len(in))
			for i := range in {
				require.True(t, in[i] == out[i] || in[i].Time.IsZero() && out[i].Time.IsZero(), "line %d", i)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][]logchunk.Line{
		"too many":  make([]logchunk.Line, logchunk.MaxLines+1),
		"too large": {{Text: strings.Repeat("x", logchunk.MaxSize)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := logchunk.Encode(in)
			require.ErrorIs(t, err, logchunk.ErrTooLarge)
		})
	}
}

// pack makes a chunk of the first version of anything.
func pack(t testing.TB, plain []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return e.EncodeAll(plain, []byte{1})
}

// pack2 makes a chunk of anything.
func pack2(plain []byte) []byte {
	sum := crc32.Checksum(plain, crc32.MakeTable(crc32.Castagnoli))
	return append(binary.LittleEndian.AppendUint32([]byte{2}, sum), s2.Encode(nil, plain)...)
}

func TestChunksOfTheFirstVersionAreReadable(t *testing.T) {
	t.Parallel()
	chunk, err := logchunk.Encode(sample(100))
	require.NoError(t, err)
	plain, err := s2.Decode(nil, chunk[5:])
	require.NoError(t, err)
	require.Equal(t, chunk, pack2(plain))
	got, err := logchunk.Decode(pack(t, plain))
	require.NoError(t, err)
	require.Equal(t, sample(100), got)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, err := logchunk.Encode(sample(100))
	require.NoError(t, err)
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)/2] ^= 1
	huge := binary.AppendUvarint(nil, 1<<60)
	for name, in := range map[string][]byte{
		"nothing":       nil,
		"version":       append([]byte{9}, good[1:]...),
		"garbage":       append([]byte{1}, "not zstd at all"...),
		"garbage of S2": append([]byte{2, 0, 0, 0, 0}, "not S2 at all"...),
		"no checksum":   good[:4],
		"wrong sum":     append([]byte{2, 1, 2, 3, 4}, good[5:]...),
		"large":         pack2(make([]byte, logchunk.MaxSize+1)),
		"empty of S2":   pack2(nil),
		"rest of S2":    pack2([]byte{1, 0, 0, 'o', 1, 'a', 'b'}),
		"short":         good[:len(good)-1],
		"flipped bit":   flipped,
		"trailing":      append(append([]byte(nil), good...), 0),
		"empty":         pack(t, nil),
		"bomb":          pack(t, make([]byte, 4*logchunk.MaxSize)),
		"many lines":    pack(t, append(huge, make([]byte, 100)...)),
		"long text":     pack(t, append(append([]byte{1, 0, 0, 0}, huge...), 'x')),
		"rest":          pack(t, []byte{1, 0, 0, 'o', 1, 'a', 'b'}),
		"lacks numbers": pack(t, append([]byte{25}, make([]byte, 99)...)),
		"bad varint":    pack(t, []byte(strings.Repeat("\xff", 100))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := logchunk.Decode(in)
			require.ErrorIs(t, err, logchunk.ErrCorrupt)
		})
	}
}

// A bomb must be refused before memory is spent on it.
func TestBombIsCheap(t *testing.T) { // measures memory, so not in parallel
	bomb := pack(t, make([]byte, 4*logchunk.MaxSize))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := logchunk.Decode(bomb)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, logchunk.ErrCorrupt)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(3*logchunk.MaxSize))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			in := sample(200 + g)
			for range 20 {
				chunk, err := logchunk.Encode(in)
				if err != nil {
					t.Error(err)
					return
				}
				out, err := logchunk.Decode(chunk)
				if err != nil || len(out) != len(in) || out[len(out)-1] != in[len(in)-1] {
					t.Errorf("got %d of %d lines: %v", len(out), len(in), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRoundTripProperty(t *testing.T) {
	t.Parallel()
	line := rapid.Custom(func(t *rapid.T) logchunk.Line {
		return logchunk.Line{
			Number: rapid.Int64().Draw(t, "number"),
			Time:   time.UnixMicro(rapid.Int64Range(-1<<52, 1<<52).Draw(t, "time")).UTC(),
			Type:   rapid.Byte().Draw(t, "type"),
			Text:   string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(line).Draw(t, "lines")
		chunk, err := logchunk.Encode(in)
		require.NoError(t, err)
		out, err := logchunk.Decode(chunk)
		require.NoError(t, err)
		require.Equal(t, in, out)
	})
}

func FuzzDecode(f *testing.F) {
	good, err := logchunk.Encode(sample(3))
	require.NoError(f, err)
	f.Add(good)
	f.Add(pack(f, []byte{1, 0, 0, 'o', 1, 'a'}))
	f.Fuzz(func(t *testing.T, chunk []byte) {
		lines, err := logchunk.Decode(chunk)
		if err != nil {
			require.ErrorIs(t, err, logchunk.ErrCorrupt)
			return
		}
		again, err := logchunk.Encode(lines)
		require.NoError(t, err)
		out, err := logchunk.Decode(again)
		require.NoError(t, err)
		require.Equal(t, lines, out)
	})
}

func BenchmarkEncode(b *testing.B) {
	in := sample(5000)
	b.SetBytes(5000 * 80)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		chunk, err := logchunk.Encode(in)
		if err != nil {
			b.Fatal(err)
		}
		size = len(chunk)
	}
	b.ReportMetric(float64(size)/5000, "B/line")
}

func BenchmarkDecode(b *testing.B) {
	chunk, err := logchunk.Encode(sample(5000))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(5000 * 80)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := logchunk.Decode(chunk); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleEncode() {
	chunk, err := logchunk.Encode([]logchunk.Line{{Number: 1, Type: 'o', Text: "Hello"}})
	if err != nil {
		panic(err)
	}
	lines, err := logchunk.Decode(chunk)
	fmt.Println(lines[0].Number, lines[0].Text, err)
	// Output: 1 Hello <nil>
}
