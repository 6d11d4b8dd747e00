package digitalocean_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/digitalocean/godo"
	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
)

var sentinels = []error{
	provider.ErrNotFound, provider.ErrInvalid, provider.ErrAuth, provider.ErrPermission, provider.ErrQuota,
	provider.ErrCapacity, provider.ErrRateLimit, provider.ErrConflict, provider.ErrUnavailable, provider.ErrMissing,
}

// TestErrors has the order refused in the vendor's words.
func TestErrors(t *testing.T) {
	t.Parallel()
	const refused = http.StatusUnprocessableEntity
	tests := []struct {
		status  int
		message string
		want    error
		advice  string
	}{
		{http.StatusUnauthorized, "Unable to authenticate you", provider.ErrAuth, "API token"},
		{http.StatusForbidden, "You are missing the required permission droplet:create.", provider.ErrPermission, "scopes"},
		{http.StatusNotFound, "The resource you were accessing could not be found.", provider.ErrInvalid, "does not exist"},
		{http.StatusConflict, "The resource conflicts", provider.ErrConflict, ""},
		{http.StatusBadRequest, "malformed", provider.ErrInvalid, ""},
		{http.StatusInternalServerError, "Server was unable to give you a response.", provider.ErrUnavailable, "try again"},
		{http.StatusServiceUnavailable, "Service Unavailable", provider.ErrUnavailable, "try again"},
		{refused, "creating this/these droplet(s) will exceed your droplet limit", provider.ErrQuota, "higher limit"},
		{refused, "Region is not available", provider.ErrCapacity, "another region or size"},
		{refused, "Size is not available in this region.", provider.ErrCapacity, "another region or size"},
		{refused, "size is unavailable", provider.ErrCapacity, "another region or size"},
		{refused, "This size is currently restricted, please open a ticket", provider.ErrPermission, "restriction"},
		{refused, "The image you specified is not available in the selected region, you can transfer it to this region from the images pages.", provider.ErrInvalid, ""},
		{refused, "You specified an invalid region for Droplet creation.", provider.ErrInvalid, ""},
		{refused, "Failed to create droplet, please try again", provider.ErrUnavailable, "try again"},
		{refused, "Droplet already has a pending event.", provider.ErrUnavailable, "try again"},
	}
	for _, test := range tests {
		t.Run(test.message, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api, _, p := account(t, fake.Config{})
				api.Refuse(order, test.status, "unprocessable_entity", test.message)
				_, err := p.Create(t.Context(), spec(t, "a"))
				var kinds []error
				for _, sentinel := range sentinels {
					if errors.Is(err, sentinel) {
						kinds = append(kinds, sentinel)
					}
				}
				require.Equal(t, []error{test.want}, kinds, "%v", err)
				var told *godo.ErrorResponse
				require.ErrorAs(t, err, &told)
				require.Equal(t, test.message, told.Message)
				require.ErrorContains(t, err, test.advice)
				require.True(t, strings.HasPrefix(err.Error(), "digitalocean: create: "))
				require.Empty(t, api.Droplets())
				require.Empty(t, api.Keys())
				require.Equal(t, 1, api.Taken(order))
			})
		})
	}
}
