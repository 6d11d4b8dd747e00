// Command sweep deletes the machines and the fleets that killed tests and
// measurements left on this host.
package main

import (
	"context"
	"errors"
	"log"

	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	machines, err := testmachine.Sweep(ctx)
	if machines > 0 {
		log.Printf("deleted %d machines that tests had left", machines)
	}
	fleets, fleetErr := sshfleet.Sweep(ctx)
	if fleets > 0 {
		log.Printf("deleted %d fleets that tests or measurements had left", fleets)
	}
	if err := errors.Join(err, fleetErr); err != nil {
		log.Fatal(err)
	}
}
