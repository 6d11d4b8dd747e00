package secrettest

import (
	"strings"
	"testing"

	"github.com/seed-797f2c2c/forge/secret"
)

// Benchmark measures a Sealer: Seal and Open of a password, of a private key and
// of the largest environment that a site can have.
func Benchmark(b *testing.B, newSealer func(b *testing.B) secret.Sealer) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"26B", 26}, {"400B", 400}, {"2MiB", 2 << 20}} {
		s := secret.New(strings.Repeat("x", size.bytes))
		b.Run("Seal/"+size.name, func(b *testing.B) {
			sealer := newSealer(b)
			measure(b, size.bytes, func() error {
				_, err := sealer.Seal(b.Context(), s, place)
				return err
			})
		})
		b.Run("Open/"+size.name, func(b *testing.B) {
			sealer := newSealer(b)
			sealed, err := sealer.Seal(b.Context(), s, place)
			if err != nil {
				b.Fatal(err)
			}
			measure(b, size.bytes, func() error {
				_, err := sealer.Open(b.Context(), sealed, place)
				return err
			})
		})
	}
}

func measure(b *testing.B, bytes int, work func() error) {
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		if err := work(); err != nil {
			b.Fatal(err)
		}
	}
}
