package providertest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sshServers dials a server of its own for each spec.
func sshServers(t *testing.T) func(context.Context, provider.Spec) (net.Conn, error) {
	var mu sync.Mutex
	servers := make(map[string]*sshtest.Server)
	return func(ctx context.Context, spec provider.Spec) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		srv := servers[spec.ID]
		if srv == nil {
			control, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.AuthorizedKey))
			if err != nil {
				return nil, err
			}
			opts := &sshtest.Options{
				AuthorizedKeys: []ssh.PublicKey{control},
				Handler:        func(context.Context, *sshtest.Exec) int { return 0 },
			}
			if spec.HostKey != nil {
				if opts.HostKey, err = ssh.ParsePrivateKey(spec.HostKey); err != nil {
					return nil, err
				}
			}
			srv = sshtest.New(t, opts)
			servers[spec.ID] = srv
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", srv.Addr)
	}
}

var quick = &providertest.Options{Timeout: 10 * time.Second, Poll: time.Millisecond}

func TestFakeConforms(t *testing.T) {
	t.Parallel()
	for name, properties := range map[string]provider.Properties{"plain": {}, "injects host keys": {InjectsHostKey: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := providertest.NewFake(providertest.FakeConfig{
				Properties: properties,
				Boot:       providertest.Boot{Missing: 2, Pending: 2, Duration: 20 * time.Millisecond},
				Dial:       sshServers(t),
			})
			providertest.Test(t, fake, quick)
			require.Empty(t, fake.Machines())
			require.Equal(t, 2, fake.Made(), "the suite spares machines")
		})
	}
}

func TestFakeCloudConforms(t *testing.T) {
	t.Parallel()
	fake := providertest.NewFakeCloud(providertest.FakeConfig{
		Properties: provider.Properties{InjectsHostKey: true, Options: provider.Offered{UserData: true}},
		Boot:       providertest.Boot{Missing: 2, Pending: 2},
		Dial:       sshServers(t),
	})
	opts := *quick
	opts.Resize, opts.Rebuild = "big", "debian-13"
	opts.Spec = func(int) provider.Spec { return provider.Spec{Region: "fra1", Size: "small", Image: "debian-12"} }
	providertest.Test(t, fake, &opts)
	require.Empty(t, fake.Machines())
	require.Equal(t, 2, fake.Made())
}

// TestFakeConformsThroughFaults runs the suite on a fake that fails at random,
// behind what every platform has: another try at what passes.
func TestFakeConformsThroughFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, seed))
		fake := providertest.NewFakeCloud(providertest.FakeConfig{
			Fault: func(providertest.Call) providertest.Fault {
				switch random.IntN(4) {
				case 0:
					return providertest.Fault{Lost: true}
				case 1:
					return providertest.Fault{Err: provider.ErrRateLimit}
				default:
					return providertest.Fault{Delay: time.Duration(random.IntN(1000)) * time.Microsecond}
				}
			},
		})
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			opts := *quick
			opts.NoLogin, opts.Resize, opts.Rebuild = true, "big", "debian-12"
			providertest.Test(t, again{fake}, &opts)
			require.Equal(t, 2, fake.Made(), "a lost answer makes no second machine")
		})
	}
}

// again tries once more what fails in passing.
type again struct{ *providertest.FakeCloud }

func retry[T any](call func() (T, error)) (v T, err error) {
	for range 1000 {
		v, err = call()
		if !errors.Is(err, provider.ErrUnavailable) && !errors.Is(err, provider.ErrRateLimit) {
			break
		}
	}
	return v, err
}

func (a again) Validate(ctx context.Context) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.Validate(ctx) })
	return err
}

func (a again) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	return retry(func() (*provider.Machine, error) { return a.FakeCloud.Create(ctx, spec) })
}

func (a again) Get(ctx context.Context, id string) (*provider.Machine, error) {
	return retry(func() (*provider.Machine, error) { return a.FakeCloud.Get(ctx, id) })
}

func (a again) Delete(ctx context.Context, id string) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.Delete(ctx, id) })
	return err
}

func (a again) List(ctx context.Context) ([]*provider.Machine, error) {
	return retry(func() ([]*provider.Machine, error) { return a.FakeCloud.List(ctx) })
}

func (a again) Catalog(ctx context.Context) (*provider.Catalog, error) {
	return retry(func() (*provider.Catalog, error) { return a.FakeCloud.Catalog(ctx) })
}

func (a again) PowerOn(ctx context.Context, id string) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.PowerOn(ctx, id) })
	return err
}

func (a again) PowerOff(ctx context.Context, id string) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.PowerOff(ctx, id) })
	return err
}

func (a again) Reboot(ctx context.Context, id string) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.Reboot(ctx, id) })
	return err
}

func (a again) Resize(ctx context.Context, id, size string) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.Resize(ctx, id, size) })
	return err
}

func (a again) Rebuild(ctx context.Context, id, image string) error {
	_, err := retry(func() (any, error) { return nil, a.FakeCloud.Rebuild(ctx, id, image) })
	return err
}
