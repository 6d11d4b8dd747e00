// Command prepare makes the images of the machines that tests have, so that no test
// waits for them.
package main

import (
	"context"
	"log"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func main() {
	log.SetFlags(0)
	p, err := nspawn.New(nspawn.Config{CloudInit: true})
	if err == nil {
		err = p.Prepare(context.Background(), testmachine.Image())
	}
	if err != nil {
		log.Fatal(err)
	}
}
