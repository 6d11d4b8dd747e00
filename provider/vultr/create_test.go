package vultr_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vultr/govultr/v3"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/vultr"
	"github.com/seed-797f2c2c/forge/provider"
)

// Whatever is lost on the way, an id has one instance, and in the end nothing is left.
func TestLostAnswersMakeNoSecondInstance(t *testing.T) {
	t.Parallel()
	const parts = 4 // at the same time
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			faults := 0
			for seed := part; seed < 1000; seed += parts {
				synctest.Test(t, func(t *testing.T) { faults += loseAnswers(t, seed) })
			}
			require.Greater(t, faults, 500)
		})
	}
}

func loseAnswers(t *testing.T, seed uint64) int {
	t.Helper()
	var faults atomic.Int64
	c := &fake.Cloud{Install: 5 * time.Second, Lag: time.Duration(seed%3) * time.Second}
	random := fakecloud.RandomFaults(seed, 4)
	p := connect(t, c, func(r *http.Request) fakecloud.Fault {
		f := random(r)
		if f != (fakecloud.Fault{}) {
			faults.Add(1)
		}
		return f
	})
	var m *provider.Machine
	wanted := spec(t, "s1")
	again(t, func() (err error) { m, err = p.Create(t.Context(), wanted); return err })
	require.Equal(t, 1, c.Made, "seed %d", seed)
	require.NotEmpty(t, c.Keys)
	again(t, func() error { return p.Delete(t.Context(), m.ID) })
	require.Empty(t, c.Instances, "seed %d", seed)
	require.Empty(t, c.Keys, "seed %d", seed)
	return int(faults.Load())
}

// again tries what passes until it works, as forge does.
func again(t *testing.T, call func() error) {
	t.Helper()
	for {
		err := call()
		if !errors.Is(err, provider.ErrUnavailable) && !errors.Is(err, provider.ErrRateLimit) {
			require.NoError(t, err)
			return
		}
		time.Sleep(time.Second)
	}
}

// The answer to the create is lost after its effect; govultr would send it four times.
func TestCreateIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]fakecloud.Fault{
		"cut": {Lost: true}, "503": {Lost: true, Status: 503}, "page of a proxy": {Lost: true, Status: 403},
		"redirect": {Lost: true, Status: 307}, "empty answer": {Lost: true, Status: 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, sent := &fake.Cloud{Lag: 5 * time.Second}, 0
				p := connect(t, c, func(r *http.Request) fakecloud.Fault {
					if r.Method == http.MethodPost && r.URL.Path == "/v2/instances" {
						sent++
						return lost
					}
					return fakecloud.Fault{}
				})
				m, err := p.Create(t.Context(), spec(t, "s1"))
				require.NoError(t, err)
				require.Equal(t, 1, sent)
				require.Equal(t, c.Instances[0]["id"], m.ID)
				require.Len(t, c.Keys, 1)
			})
		})
	}
}

// Two instances of one id, made by whatever, are for a person to settle.
func TestDoubledInstancesAreNamed(t *testing.T) {
	t.Parallel()
	c := new(fake.Cloud)
	for _, id := range []string{"00000001", "00000002", "00000003"} {
		c.Instances = append(c.Instances, instance(id, "forge=forge", "forge-id=s1"))
	}
	c.Instances[1]["tags"] = []any{"forge=forge", "forge-id=S1"}
	_, err := connect(t, c, nil).Create(t.Context(), spec(t, "s1"))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, "instances 00000001-0000-4000-9000-000000000000, 00000003-0000-4000-9000-000000000000 all bear the id s1")
	require.Zero(t, c.Made)
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	c := new(fake.Cloud)
	p := connect(t, c, nil)
	s := spec(t, "s1")
	s.Labels = map[string]string{"Team name": "a=b, c", "forge": "mine"}
	s.Options = provider.Options{UserData: "#!/bin/sh\n", Backups: true, Network: "vpc-1"}
	m, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"Team name": "a=b, c"}, m.Labels)
	i := c.Instances[0]
	require.Equal(t, []any{"forge=forge", "forge-id=s1", "Team+name=a%3Db%2C+c"}, i["tags"])
	require.Equal(t, []any{c.Keys[0]["id"]}, i["sshkey_id"])
	require.Equal(t, []any{"vpc-1"}, i["attach_vpc"])
	require.Equal(t, "enabled", i["backups"])
	require.Equal(t, []any{"web-1", "web-1", true, false}, []any{i["hostname"], i["label"], i["enable_ipv6"], i["activation_email"]})
	userData, err := base64.StdEncoding.DecodeString(i["user_data"].(string))
	require.NoError(t, err)
	require.Contains(t, string(userData), "ssh_keys")
	require.Contains(t, string(userData), "#!/bin/sh")
	v, ok := provider.As[*govultr.Instance](m)
	require.True(t, ok)
	require.Equal(t, "web-1", v.Hostname)
	require.Equal(t, "forge/forge/s1", c.Keys[0]["name"])
}

// A key that the account has and Vultr does not take twice is used, and is there when
// the instance is gone.
func TestKeyOfOthersIsLeft(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		s := spec(t, "s1")
		mine := fake.Thing{"id": "mine", "name": "mine", "ssh_key": strings.TrimSpace(s.AuthorizedKey)}
		c := &fake.Cloud{Unique: unique, Keys: []fake.Thing{mine}}
		p := connect(t, c, nil)
		m, err := p.Create(t.Context(), s)
		require.NoError(t, err)
		require.Len(t, c.Keys, map[bool]int{true: 1, false: 2}[unique])
		require.NoError(t, p.Delete(t.Context(), m.ID))
		require.Equal(t, []fake.Thing{mine}, c.Keys)
	}
}
