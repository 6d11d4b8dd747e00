package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// ownMachine is a machine that its owner has used before, and a program that
// looks after it.
func ownMachine(t *testing.T, m *testmachine.Machine) *embedder {
	t.Helper()
	e := &embedder{}
	f, err := forge.New(forge.Config{
		Store:     memory.New(memory.Config{}),
		Providers: map[string]provider.Provider{"own": static.New(static.Config{Signers: []ssh.Signer{m.Signer}})},
	})
	require.NoError(t, err)
	e.Forge = f
	e.work()
	t.Cleanup(func() { require.NoError(t, e.close()) })
	return e
}

// footprint lists what forge could leave: all of /etc but what packages own, the
// users, homes, units, rules and keys.
const footprint = `set +e +o pipefail; cd /
dpkg-query --listfiles $(dpkg-query -W -f '${Package}\n') 2>/dev/null | sort -u >/dev/shm/packaged
find etc home root opt srv usr/local -printf '/%p %y %m %u:%g %l\n' | sort | awk 'NR == FNR { packaged[$1] = 1; next } !($1 in packaged)' /dev/shm/packaged -
rm /dev/shm/packaged
getent passwd | cut -d: -f1 | sed 's/^/user /'
find etc/apt/sources.list* etc/environment etc/ssh etc/nginx etc/cron.allow etc/at.allow etc/fstab etc/passwd root/.ssh -type f -exec sha256sum {} + 2>/dev/null | sort -k 2
nft list tables | grep forge 
systemctl list-unit-files --no-legend | grep forge
ls -d /var/lib/forge /run/forge 2>/dev/null
sshd -T | sort`

// ofPackages matches what stays: what packages make when they are configured, the
// firewall, and the time zone.
var ofPackages = regexp.MustCompile(`^/etc/(alternatives|fonts|php|python3|rc[0-6S]\.d|ufw|nginx)[/ ]` +
	`|^/etc/(gitconfig|inputrc|networks|localtime|sub[ug]id-) ` +
	`|^/etc/systemd/system/(multi-user|timers)\.target\.wants/` +
	`|^/usr/local/(lib/python|share/fonts)` +
	`|^[0-9a-f]{64}  etc/nginx/`)

func TestMachineIsGivenBack(t *testing.T) {
	t.Parallel()
	newMachines(t) // skips
	m := testmachine.New(t)
	sources := m.Must(t, "cat /etc/apt/sources.list")
	mirror := newMirror(t, sources)
	e := ownMachine(t, m)
	m.Must(t, `echo OWN=1 >/etc/environment; echo alice >/etc/cron.allow`)
	before := m.Must(t, footprint)

	srv, action, err := e.Servers.Create(t.Context(), forge.ServerOpts{
		Name: "own", Provider: "own", Image: testmachine.Image(), Address: m.Address, Port: m.Port,
		Stack: forge.Stack{
			PHP: []string{machinePHP()}, SwapMB: 64, Timezone: "Europe/Berlin",
			AptMirror: mirror.url, HTTPProxy: "http://proxy.corp.example:3128", NoProxy: []string{strings.Split(strings.TrimPrefix(mirror.url, "http://"), ":")[0]},
		},
	})
	e.finish(t, action, err)
	require.True(t, mirror.saw("/debian/pool/"), mirror.seen)
	require.True(t, mirror.saw("/debian-security/dists/"), mirror.seen)
	require.NotContains(t, m.Must(t, `cat /etc/apt/sources.list`), archiveHost(sources))
	require.Contains(t, m.Must(t, `cat /etc/apt/sources.list.forge.save`), archiveHost(sources))
	_, action, err = e.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "own.example.org"})
	e.finish(t, action, err)
	key, err := e.Keys.Add(t.Context(), forge.KeyOpts{Name: "laptop", Public: srv.PublicKey})
	require.NoError(t, err)
	action, err = e.Keys.Sync(t.Context(), key.ID, forge.Selector{Servers: []string{srv.ID}})
	e.finish(t, action, err)

	m.Must(t, `printf '%s\n' "$1" >>/root/.ssh/authorized_keys`, srv.PublicKey) // as where it was put beforehand
	action, err = e.Keys.RotateControl(t.Context(), forge.Selector{Servers: []string{srv.ID}})
	e.finish(t, action, err)
	rotated, err := e.Servers.Get(t.Context(), srv.ID)
	require.NoError(t, err)
	require.Equal(t, rotated.PublicKey+" forge:control-"+srv.ID+"\n", m.Must(t, `grep forge: /etc/ssh/authorized_keys.d/root`))
	m.Must(t, `! grep -rF -- "$1" /etc/ssh/authorized_keys.d/root /root/.ssh`, strings.Fields(srv.PublicKey)[1])

	// Without a key of the owner's in a home, nothing is changed.
	m.Must(t, `mv /root/.ssh/authorized_keys /root/.ssh/away`)
	action, err = e.Servers.Delete(t.Context(), srv.ID, nil)
	require.NoError(t, err)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.ErrorContains(t, err, "nobody would get in")
	m.Must(t, `mv /root/.ssh/away /root/.ssh/authorized_keys; ls /etc/nginx/forge.d/*.conf; [[ $(sshd -T) == *'authorizedkeysfile /etc/ssh'* ]]`)

	action, err = e.Servers.Delete(t.Context(), srv.ID, nil)
	e.finish(t, action, err)
	srv, err = e.Servers.Get(t.Context(), srv.ID)
	require.NoError(t, err)
	require.Equal(t, forge.ServerDeleted, srv.Status)
	own := m.SSH(t) // a new login, by the owner's key alone
	require.NotNil(t, own)
	require.Equal(t, "alice\n", m.Must(t, `cat /etc/cron.allow`))
	require.Equal(t, "OWN=1\n", m.Must(t, `cat /etc/environment`))
	m.Must(t, `nginx -t -q; systemctl is-active nginx "php$1-fpm"; apt-get update -qq; [[ -z $(ps -eo user= | grep -E '^(forge|site-)') ]]`, machinePHP())

	gone, come := difference(before, m.Must(t, footprint))
	for _, line := range come {
		require.Regexp(t, ofPackages, line)
		require.NotContains(t, line, "forge")
	}
	require.Equal(t, []string{"/etc/localtime l 777 root:root /usr/share/zoneinfo/Etc/UTC"}, gone)
}

// difference returns the lines that are only in one of two texts.
func difference(before, after string) (gone, come []string) {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	only := func(these, those []string) []string {
		return slices.DeleteFunc(slices.Clone(these), func(line string) bool { return slices.Contains(those, line) })
	}
	return only(a, b), only(b, a)
}
