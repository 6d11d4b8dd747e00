package keysource_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A proxy of the environment is one that nothing goes through, as nobody is there.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
