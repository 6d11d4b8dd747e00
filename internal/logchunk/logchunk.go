// Package logchunk packs lines of a log into the compressed chunks in which
// every store keeps them.
//
// A chunk is a version byte and a zstd frame. The frame holds the number of
// lines, then for each of them the differences of its number and its time to
// those of the line before, its type and the length of its text, then all
// texts. Numbers are varints.
package logchunk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// What a chunk can hold.
const (
	MaxLines = 1 << 16
	MaxSize  = 16 << 20 // bytes before compression
)

const version = 1

// minHead is the least that a line takes beside its text, in bytes.
const minHead = 4

var (
	// ErrTooLarge says that lines do not fit into one chunk.
	ErrTooLarge = fmt.Errorf("more than %d lines or %d bytes for a chunk of a log", MaxLines, MaxSize)
	// ErrCorrupt says that a chunk cannot be read.
	ErrCorrupt = errors.New("chunk of a log is corrupt")
)

// Line is one line of a log.
type Line struct {
	Number int64
	Time   time.Time // kept in microseconds, and read as UTC
	Type   byte
	Text   string
}

// Both coders are safe for concurrent use and start no goroutines, as they are
// not used as streams.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
			zstd.WithWindowSize(1<<20))
		if err != nil {
			panic(err) // the options are constant
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxSize))
		if err != nil {
			panic(err) // the options are constant
		}
		return d
	})
)

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Encode packs lines into a chunk, or returns ErrTooLarge.
func Encode(lines []Line) ([]byte, error) {
	buf, out := buffers.Get().(*[]byte), buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	defer buffers.Put(out)
	plain := binary.AppendUvarint((*buf)[:0], uint64(len(lines)))
	var number, micros int64
	for i := range lines {
		l := &lines[i]
		at := l.Time.UnixMicro()
		plain = binary.AppendVarint(plain, l.Number-number)
		plain = binary.AppendVarint(plain, at-micros)
		plain = append(plain, l.Type)
		plain = binary.AppendUvarint(plain, uint64(len(l.Text)))
		number, micros = l.Number, at
	}
	for i := range lines {
		if len(plain)+len(lines[i].Text) > MaxSize {
			return nil, ErrTooLarge
		}
		plain = append(plain, lines[i].Text...)
	}
	*buf = plain
	if len(lines) > MaxLines || len(plain) > MaxSize {
		return nil, ErrTooLarge
	}
	*out = encoder().EncodeAll(plain, append((*out)[:0], version))
	return bytes.Clone(*out), nil // of its own size, as it may be kept for long
}

// Decode unpacks a chunk. What is not one gives an error that wraps
// ErrCorrupt. The texts of the lines share memory.
func Decode(chunk []byte) ([]Line, error) {
	if len(chunk) == 0 || chunk[0] != version {
		return nil, fmt.Errorf("%w: unknown version", ErrCorrupt)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	plain, err := decoder().DecodeAll(chunk[1:], (*buf)[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	*buf = plain

	r := reader{rest: plain}
	count := r.uvarint()
	if count > MaxLines || count*minHead > uint64(len(plain)) {
		return nil, fmt.Errorf("%w: %d lines in %d bytes", ErrCorrupt, count, len(plain))
	}
	lines := make([]Line, count)
	lengths := make([]uint64, count)
	var number, micros int64
	for i := range lines {
		number += r.varint()
		micros += r.varint()
		lines[i] = Line{Number: number, Time: time.UnixMicro(micros).UTC(), Type: r.byte()}
		lengths[i] = r.uvarint()
	}
	texts := string(r.rest)
	for i, n := range lengths {
		if n > uint64(len(texts)) {
			r.short = true
			break
		}
		lines[i].Text, texts = texts[:n], texts[n:]
	}
	if r.short || len(texts) > 0 {
		return nil, fmt.Errorf("%w: lengths do not match", ErrCorrupt)
	}
	return lines, nil
}

// reader takes numbers from a chunk, and remembers when it was too short.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

// skip goes on by the n bytes of a number; less than one is none at all.
func (r *reader) skip(n int) {
	if n <= 0 {
		r.short = true
		return
	}
	r.rest = r.rest[n:]
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.short = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}
