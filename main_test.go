package forge_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/internal/logchunk"
)

func TestMain(m *testing.M) {
	// The compressor makes its channels when it is first used, which must not
	// be in the bubble of one test, as the others use it too.
	chunk, err := logchunk.Encode([]logchunk.Line{{Text: "warm"}})
	if err == nil {
		_, err = logchunk.Decode(chunk)
	}
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
