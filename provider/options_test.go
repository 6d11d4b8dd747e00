package provider_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

// Each option is refused where it is not offered, and taken where it is, also those
// that are added one day.
func TestOptionsAreRefusedWhereNotOffered(t *testing.T) {
	t.Parallel()
	asked := map[string]provider.Options{
		"UserData":   {UserData: "#!/bin/sh\n"},
		"Backups":    {Backups: true},
		"Monitoring": {Monitoring: true},
		"Network":    {Network: "1"},
		"Firewalls":  {Firewalls: []string{"1"}},
		"IPv6Only":   {IPv6Only: true},
	}
	fields := reflect.TypeFor[provider.Options]().NumField()
	require.Len(t, asked, fields)
	require.Equal(t, fields, reflect.TypeFor[provider.Offered]().NumField())
	for field, options := range asked {
		spec := provider.Spec{ID: "a", Name: "a", Options: options}
		err := spec.Validate(provider.Properties{})
		require.ErrorIs(t, err, provider.ErrInvalid, field)
		require.ErrorContains(t, err, "must be left away")

		var offered provider.Properties
		reflect.ValueOf(&offered.Options).Elem().FieldByName(field).SetBool(true)
		require.NoError(t, spec.Validate(offered), field)
		for other, options := range asked {
			if other != field {
				spec.Options = options
				require.ErrorIs(t, spec.Validate(offered), provider.ErrInvalid, "%s where %s is offered", other, field)
			}
		}
	}
}

func TestOptionsClone(t *testing.T) {
	t.Parallel()
	o := provider.Options{UserData: "x", Firewalls: []string{"1", "2"}}
	c := o.Clone()
	require.Equal(t, o, c)
	c.Firewalls[0] = "3"
	require.Equal(t, "1", o.Firewalls[0])
}

func TestRateLimitError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("cloud: create: %w", &provider.RateLimitError{Reset: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))})
	require.ErrorIs(t, err, provider.ErrRateLimit)
	require.EqualError(t, err, "cloud: create: too many requests: try again at 2026-01-02T02:04:05Z")
	var limit *provider.RateLimitError
	require.ErrorAs(t, err, &limit)
}

// An adapter's caller tells errors apart, so that none is another.
func TestSentinelsAreApart(t *testing.T) {
	t.Parallel()
	all := []error{
		provider.ErrNotFound, provider.ErrInvalid, provider.ErrAuth, provider.ErrPermission, provider.ErrQuota, provider.ErrCapacity,
		provider.ErrRateLimit, provider.ErrConflict, provider.ErrUnavailable, provider.ErrMissing,
	}
	for i, a := range all {
		for j, b := range all {
			require.Equal(t, i == j, errors.Is(a, b), "%v, %v", a, b)
		}
	}
}

// Vendor stands for what a vendor's library has.
type Vendor struct{ Rack string }

func ExampleAs() {
	m := &provider.Machine{ID: "1", Vendor: &Vendor{Rack: "B7"}}
	if v, ok := provider.As[*Vendor](m); ok {
		fmt.Println(v.Rack)
	}
	_, ok := provider.As[*Vendor](&provider.Machine{ID: "2"})
	fmt.Println(ok)
	// Output:
	// B7
	// false
}
