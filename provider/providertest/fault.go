package providertest

import (
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// Op is a method of a provider.
type Op string

// The methods that a Fake records and that Faults happen in.
const (
	OpValidate Op = "Validate"
	OpCreate   Op = "Create"
	OpGet      Op = "Get"
	OpDelete   Op = "Delete"
	OpList     Op = "List"
	OpPowerOn  Op = "PowerOn"
	OpPowerOff Op = "PowerOff"
	OpReboot   Op = "Reboot"
	OpCatalog  Op = "Catalog" // and the next two of a FakeCloud alone
	OpResize   Op = "Resize"
	OpRebuild  Op = "Rebuild"
)

// Call is one call of a Fake.
type Call struct {
	Op   Op
	ID   string        // Spec.ID at OpCreate, Machine.ID at what concerns one machine
	Spec provider.Spec // at OpCreate
	Err  error         // what was answered; nil as well while the call goes on
}

// Fault is what goes wrong in one call. The zero value is a call that succeeds.
type Fault struct {
	// Err is answered, and the call has no effect: provider.ErrQuota,
	// provider.ErrRateLimit and so on.
	Err error
	// Lost makes the call have its effect all the same; only its answer is
	// lost. Err then defaults to provider.ErrUnavailable.
	Lost bool
	// Delay is how long the call takes before anything else. When its context
	// ends earlier, the call has no effect.
	Delay time.Duration
	// Boot replaces FakeConfig.Boot for the machine that this OpCreate makes.
	Boot *Boot
}

// Boot is how a machine comes up. The zero value is a machine that is active
// at once.
type Boot struct {
	// Missing is how many times Get answers provider.ErrNotFound first.
	Missing int
	// Pending is how many times Get answers provider.StatusPending after that.
	Pending int
	// Duration is how long the machine stays pending at least.
	Duration time.Duration
	// End is the status that the machine ends in: provider.StatusPending makes
	// one that is never active, provider.StatusError one that the provider
	// gives up on. Defaults to provider.StatusActive.
	End provider.Status
	// NoAddress makes the machine get no address, though it is active.
	NoAddress bool
}
