package forge_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-797f2c2c/forge"
)

// The keys that somebody has at GitHub are added, to be synced to servers then.
func ExampleKeys_Import() {
	f := newForge().For("acme")
	imported, err := f.Keys.Import(context.Background(), "https://github.com/ann.keys", forge.ImportOpts{Name: "ann"})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range imported.Added {
		fmt.Println(key.Name, key.Fingerprint)
	}
}

// A document that the program has itself, as from a host of its own network.
func ExampleKeys_ImportDocument() {
	document := `# ann's keys
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl laptop
restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILKX/A5eeqWbAzHtBTAGhwyMIIhgFHFvRbQR9GcyeLp7
`
	f := newForge().For("acme")
	for range 2 {
		imported, err := f.Keys.ImportDocument(context.Background(), []byte(document), forge.ImportOpts{Name: "ann"})
		if err != nil {
			log.Fatal(err)
		}
		for _, key := range imported.Added {
			fmt.Println("added", key.Name)
		}
		for _, key := range imported.Known {
			fmt.Println("known", key.Name)
		}
		for _, line := range imported.Refused {
			fmt.Printf("line %d %s\n", line.Line, line.Rule)
		}
	}
	// Output:
	// added ann laptop
	// line 3 must begin with the type of the key, without options
	// known ann laptop
	// line 3 must begin with the type of the key, without options
}
