// Command prepare makes the images of the machines that tests have, so that no test
// waits for them. Where there can be no machines it says why, which is for the tests
// to fail for.
package main

import (
	"context"
	"log"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func main() {
	log.SetFlags(0)
	if err := prepare(context.Background()); err != nil {
		log.Println("no images for machines:", err)
	}
}

func prepare(ctx context.Context) error {
	p, err := nspawn.New(nspawn.Config{CloudInit: true})
	if err != nil {
		return err
	}
	if err := p.Validate(ctx); err != nil {
		return err
	}
	return p.Prepare(ctx, testmachine.Image())
}
