package provider

import "context"

// Power is implemented by providers that can switch machines, by the provider's
// own id. A method returns when the provider has taken the order, and what is so
// already is no error.
type Power interface {
	PowerOn(ctx context.Context, id string) error
	// PowerOff cuts the power, without a shutdown.
	PowerOff(ctx context.Context, id string) error
	// Reboot asks the machine's system to restart.
	Reboot(ctx context.Context, id string) error
}

// Resizer is implemented by providers that can give a machine another size. The
// machine has to be off; its disk keeps its size, so that it can be made small
// again.
type Resizer interface {
	Resize(ctx context.Context, id, size string) error
}

// Rebuilder is implemented by providers that can write an image over the disk of
// a machine, which keeps its id and its addresses.
type Rebuilder interface {
	Rebuild(ctx context.Context, id, image string) error
}

// Cleaner is implemented by providers where something may be left without a
// machine, such as the entry of its key: after a create that was broken off, or
// when somebody else deleted the machine.
type Cleaner interface {
	// Clean removes what Create made for a spec besides a machine. There is no
	// machine any more, or it has another key since and needs the entry no more;
	// of the spec, ID and AuthorizedKey are given. That nothing is left is no
	// error, and what belongs to a machine stays.
	Clean(ctx context.Context, spec Spec) error
}
