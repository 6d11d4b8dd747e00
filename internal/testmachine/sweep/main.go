// Command sweep deletes the machines that killed tests left on this host.
package main

import (
	"context"
	"log"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

func main() {
	log.SetFlags(0)
	n, err := testmachine.Sweep(context.Background())
	if n > 0 {
		log.Printf("deleted %d machines that tests had left", n)
	}
	if err != nil {
		log.Fatal(err)
	}
}
