package hetzner_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestErrorsOfTheVendor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		code   string
		kind   error
		says   string
	}{
		{401, "unauthorized", provider.ErrAuth, "make an API token"},
		{403, "forbidden", provider.ErrPermission, "read and write"},
		{403, "token_readonly", provider.ErrPermission, "read and write"},
		{403, "resource_limit_exceeded", provider.ErrQuota, "ask Hetzner for a higher limit"},
		{412, "resource_unavailable", provider.ErrCapacity, "another region or size"},
		{412, "placement_error", provider.ErrCapacity, "another region or size"},
		{422, "invalid_input", provider.ErrInvalid, "said so"},
		{422, "unsupported_error", provider.ErrInvalid, ""},
		{404, "not_found", provider.ErrInvalid, "names what does not exist"},
		{410, "deprecated_api_endpoint", provider.ErrInvalid, "newer version of forge"},
		{422, "no_subnet_available", provider.ErrQuota, "add a subnet"},
		{409, "resource_in_use", provider.ErrConflict, ""},
		{423, "protected", provider.ErrConflict, "protection"},
		{423, "locked", provider.ErrUnavailable, "try again"},
		{409, "conflict", provider.ErrUnavailable, "try again"},
		{503, "maintenance", provider.ErrUnavailable, "try again"},
		{500, "server_error", provider.ErrUnavailable, "try again"},
		{503, "a_new_code", provider.ErrUnavailable, ""},
		{422, "a_new_code", provider.ErrInvalid, ""},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fake.Config{})
			w.api.Refuse("POST /servers", test.status, test.code, "it said so")
			_, err := w.Create(t.Context(), spec(1))
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.says)
			var told hcloud.Error
			require.ErrorAs(t, err, &told, "the vendor's own error is there")
			require.Equal(t, hcloud.ErrorCode(test.code), told.Code)
			require.Equal(t, 1, w.api.Taken("POST /servers"), "an order is sent once")
			require.Empty(t, w.api.Keys())
		})
	}
}

func TestErrorsOfActions(t *testing.T) {
	t.Parallel()
	for code, kind := range map[string]error{
		"server_not_stopped":  provider.ErrConflict,
		"invalid_server_type": provider.ErrInvalid,
		"not_found":           provider.ErrInvalid,
		"locked":              provider.ErrUnavailable,
	} {
		w := newWorld(t, fake.Config{})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		w.api.Refuse("POST /servers/{id}/actions/{action}", 422, code, "no")
		err = w.Resize(t.Context(), m.ID, "cx33")
		require.ErrorIs(t, err, kind)
		require.ErrorContains(t, err, "hetzner: resize "+m.ID)
	}
}

// A refusal names each field that is wrong.
func TestErrorsNameFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	m, err := w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.NoError(t, w.PowerOff(t.Context(), m.ID))
	err = w.Resize(t.Context(), m.ID, "cx99")
	require.ErrorIs(t, err, provider.ErrInvalid)
	require.ErrorContains(t, err, "server_type: server type not found")
}

// A status without the vendor's words may be from a proxy on the way: what it is
// about is not taken for gone, nor the token for bad.
func TestStatusWithoutWords(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 404, 409, 422, 500, 502, 503, 504} {
		synctest.Test(t, func(t *testing.T) {
			w := faulty(t, fake.Config{}, nil)
			m, err := w.Create(t.Context(), spec(1))
			require.NoError(t, err)
			w.net.Fault = func(*http.Request) fakecloud.Fault { return fakecloud.Fault{Status: status} }
			_, err = w.Get(t.Context(), m.ID)
			require.ErrorIs(t, err, provider.ErrUnavailable, "status %d", status)
			require.NotErrorIs(t, err, provider.ErrNotFound)
			require.ErrorIs(t, w.Delete(t.Context(), m.ID), provider.ErrUnavailable)
			require.ErrorIs(t, w.Validate(t.Context()), provider.ErrUnavailable)
			require.Len(t, w.api.Servers(), 1)
		})
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{PerHour: 3600})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		other := fakecloud.Transport{Handler: w.api} // who uses the same token
		var last *http.Response
		for last == nil || last.StatusCode != http.StatusTooManyRequests {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.hetzner.cloud/v1/locations", nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer token")
			last, err = other.RoundTrip(r)
			require.NoError(t, err)
			require.NoError(t, last.Body.Close())
		}
		var limited *provider.RateLimitError
		require.ErrorAs(t, w.Reboot(t.Context(), m.ID), &limited)
		require.LessOrEqual(t, time.Until(limited.Reset), 2*time.Second, "the next one comes soon, not in an hour")
		time.Sleep(time.Until(limited.Reset))
		for range 5 { // each as soon as it is told
			for err := w.Reboot(t.Context(), m.ID); err != nil; err = w.Reboot(t.Context(), m.ID) {
				require.True(t, errors.As(err, &limited))
				time.Sleep(time.Until(limited.Reset))
			}
		}
	})
}
