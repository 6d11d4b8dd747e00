package vultr_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/vultr"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/vultr"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status        int
		body, message string // what Vultr says
		kind          error
		advice        string
	}{
		{401, `{"error":"Invalid API token.","status":401}`, "Invalid API token.", provider.ErrAuth, "make a new API key"},
		{401, `{"error":"Unauthorized IP address: 192.0.2.1","status":401}`, "Unauthorized IP address: 192.0.2.1", provider.ErrPermission, "access control"},
		{403, `{"error":"Forbidden","status":403}`, "Forbidden", provider.ErrPermission, "the right to manage"},
		{403, `<html>not today</html>`, "", provider.ErrUnavailable, "403 Forbidden"},
		{400, `{"error":"Server add failed: You have reached the maximum monthly fee limit.","status":400}`, "Server add failed: You have reached the maximum monthly fee limit.", provider.ErrQuota, "raise the limit"},
		{400, `{"error":"Plan is not available in the selected datacenter.","status":400}`, "Plan is not available in the selected datacenter.", provider.ErrCapacity, "another region"},
		{400, `{"error":"Invalid plan chosen.","status":400}`, "Invalid plan chosen.", provider.ErrInvalid, "Invalid plan"},
		{404, `{"error":"Not found","status":404}`, "Not found", provider.ErrNotFound, ""},
		{500, `{"error":"Unable","status":500}`, "Unable", provider.ErrUnavailable, ""},
	} {
		t.Run(fmt.Sprint(test.status, test.message), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, err := vultr.New(vultr.Config{APIKey: secret.New("k"), Transport: &fakecloud.Transport{
					Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.WriteHeader(test.status)
						_, _ = w.Write([]byte(test.body))
					}),
				}})
				require.NoError(t, err)
				err = p.Validate(t.Context())
				require.ErrorIs(t, err, test.kind)
				require.ErrorContains(t, err, test.advice)
				var told *vultr.Error
				require.ErrorAs(t, err, &told)
				require.Equal(t, &vultr.Error{Status: test.status, Message: test.message}, told)
			})
		})
	}
}

// A refused create leaves no key, and a list that is no answer makes no instance.
func TestRefusedCreate(t *testing.T) {
	t.Parallel()
	c := &fake.Cloud{Instances: []fake.Thing{instance("00000001")}, Most: 1}
	_, err := connect(t, c, nil).Create(t.Context(), spec(t, "s1"))
	require.ErrorIs(t, err, provider.ErrQuota)
	require.Empty(t, c.Keys)

	s := spec(t, "s1")
	s.Region = "ewr"
	_, err = connect(t, c, nil).Create(t.Context(), s)
	require.ErrorIs(t, err, provider.ErrCapacity)
	require.ErrorContains(t, err, "vc2-1c-1gb is not available in ewr")

	for answer, says := range map[string]string{`{}`: "nothing of its other pages", `<html>`: "no JSON", ``: "nothing of its other pages"} {
		half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
		p, err := vultr.New(vultr.Config{APIKey: secret.New(fake.Key), Region: "fra", Size: "vc2-1c-1gb", Transport: &fakecloud.Transport{Handler: half}})
		require.NoError(t, err)
		_, err = p.Create(t.Context(), spec(t, "s1"))
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.ErrorContains(t, err, says)
	}
}

// A caller who leaves while the order is on its way leaves no instance unaccounted for.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(fake.Cloud)
		ctx, leave := context.WithCancel(t.Context())
		wire := &fakecloud.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.ServeHTTP(w, r)
			if c.Made > 0 {
				leave()
			}
		})}
		wire.Fault = func(r *http.Request) fakecloud.Fault {
			return fakecloud.Fault{Lost: r.Method == http.MethodPost && r.URL.Path == "/v2/instances"}
		}
		p, err := vultr.New(vultr.Config{APIKey: secret.New(fake.Key), Region: "fra", Size: "vc2-1c-1gb", Transport: wire})
		require.NoError(t, err)
		m, err := p.Create(ctx, spec(t, "s1"))
		require.NoError(t, err)
		require.Equal(t, c.Instances[0]["id"], m.ID)
		_, err = p.Get(ctx, m.ID)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []vultr.Config{{}, {APIKey: secret.New("k"), Namespace: "a/b"}, {APIKey: secret.New("k"), Endpoint: "://"}} {
		_, err := vultr.New(cfg)
		require.ErrorIs(t, err, provider.ErrInvalid)
	}
}
