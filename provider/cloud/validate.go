package cloud

import (
	"fmt"

	"github.com/seed-797f2c2c/forge/provider"
)

// Validate is [provider.Spec.Validate] for a cloud, where AuthorizedKey is required: a
// vendor that gets no key sets a root password, which has to be changed at the first
// login.
func Validate(spec provider.Spec, p provider.Properties) error {
	if err := spec.Validate(p); err != nil {
		return err
	}
	if spec.AuthorizedKey == "" {
		return fmt.Errorf("%w: AuthorizedKey must be given", provider.ErrInvalid)
	}
	return nil
}
