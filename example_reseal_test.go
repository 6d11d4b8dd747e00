package forge_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// A key is replaced: what the one before sealed is sealed anew, until nothing hangs
// on it. Processes that work do so by themselves, and log which keys are unused.
func ExampleForge_Reseal() {
	ctx := context.Background()
	before, err := tink.New() // or tink.Open("/etc/myapp/keyset.json")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := before.Rotate() // and keys.Save("/etc/myapp/keyset.json")
	if err != nil {
		log.Fatal(err)
	}
	f, err := forge.New(forge.Config{Store: memory.New(memory.Config{}), Sealer: keys})
	if err != nil {
		log.Fatal(err)
	}
	report, err := f.Reseal(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range report.Unused {
		if keys, err = keys.Disable(key); err != nil { // and Save, and later Remove
			log.Fatal(err)
		}
	}
	fmt.Println(len(report.Unused), "unused,", len(keys.Keys()), "in use")
	// Output: 1 unused, 1 in use
}
