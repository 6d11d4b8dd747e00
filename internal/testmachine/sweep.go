package testmachine

import (
	"context"
	"errors"

	"github.com/seed-797f2c2c/forge/internal/owner"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

// ownerLabel names the process that a test's machine belongs to.
const ownerLabel = "forge-test-owner"

// Labels mark a machine as this test process's own, so that Sweep removes it
// once the process is gone.
func Labels() map[string]string { return map[string]string{ownerLabel: owner.Self()} }

// Sweep deletes the machines whose test process is gone, and returns how many.
func Sweep(ctx context.Context) (int, error) {
	p, err := nspawn.New(nspawn.Config{})
	if err != nil {
		return 0, err
	}
	machines, err := p.List(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, m := range machines {
		label := m.Labels[ownerLabel]
		if label == "" || !owner.Gone(label) {
			continue
		}
		if err := p.Delete(ctx, m.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}
