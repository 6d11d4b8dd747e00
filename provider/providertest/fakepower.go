package providertest

import (
	"context"
	"fmt"

	"github.com/seed-797f2c2c/forge/provider"
)

// PowerOn implements provider.Power.
func (f *Fake) PowerOn(ctx context.Context, id string) error {
	return f.order(ctx, OpPowerOn, id, func(m *fakeMachine) error {
		m.off = false
		return nil
	})
}

// PowerOff implements provider.Power.
func (f *Fake) PowerOff(ctx context.Context, id string) error {
	return f.order(ctx, OpPowerOff, id, func(m *fakeMachine) error {
		m.off = true
		return nil
	})
}

// Reboot implements provider.Power. A machine that is off stays so.
func (f *Fake) Reboot(ctx context.Context, id string) error {
	return f.order(ctx, OpReboot, id, func(*fakeMachine) error { return nil })
}

// order does something to a machine.
func (f *Fake) order(ctx context.Context, op Op, id string, do func(*fakeMachine) error) error {
	return f.call(ctx, Call{Op: op, ID: id}, func(Fault) error {
		m := f.find(func(m *fakeMachine) bool { return m.id == id })
		if m == nil {
			return fmt.Errorf("%w: %q", provider.ErrNotFound, id)
		}
		return do(m)
	})
}
