package cloud

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
)

// Only returns the one machine that was found to bear a Spec.ID, or nil where none was.
// More than one is a provider.ErrConflict that names the ids, for a person to settle.
// what is the vendor's word for machines, and id tells that of one.
func Only[T any](what, specID string, found []*T, id func(*T) string) (*T, error) {
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, machine := range found {
		ids[i] = id(machine)
	}
	slices.Sort(ids) // each time the same text
	return nil, fmt.Errorf("%w: %s %s all bear the id %s: delete all but one", provider.ErrConflict, what, strings.Join(ids, ", "), specID)
}

// Address is provider.Machine.Address for a machine with these addresses: the first that
// it has, or nothing while it has none.
func Address(ips ...netip.Addr) string {
	if i := slices.IndexFunc(ips, netip.Addr.IsValid); i >= 0 {
		return ips[i].String()
	}
	return ""
}
