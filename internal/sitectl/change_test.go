package sitectl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// The places of vhost and pool among the arguments of create.sh.
const (
	vhostArg = 7
	poolArg  = 9
)

func TestCreateAgainChangesNothing(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "twice")
	create(t, srv, s)
	require.Empty(t, changes(t, srv, func() {
		out, err := srv.Run(t, createCommand(t, s))
		require.NoError(t, err)
		require.Empty(t, out)
	}))
}

func TestDeleteTakesAwayWhatCreateMade(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "gone")
	other := staticSite("stays")
	create(t, srv, other)
	put(t, srv, other, other.Paths().Web+"/index.html", "stays")

	left := changes(t, srv, func() {
		create(t, srv, s)
		put(t, srv, s, s.Paths().Web+"/index.php", probe)
		require.Equal(t, "200", get(t, srv, s.Names[0], "/").status)
		key, err := sitectl.DeployKey(s)
		require.NoError(t, err)
		_, err = srv.Run(t, key)
		require.NoError(t, err)
		// Processes that do not want to end, and files elsewhere.
		srv.BashAs(t, s.User, `cd; echo x >/tmp/gone-file; mkdir /var/tmp/gone-dir; echo x >/var/tmp/gone-dir/x
			cat >spawn <<'END'
			trap '' TERM HUP INT
			while :; do (sleep 0.02; exec bash spawn) & sleep 0.05; wait; done
END
			for _ in 1 2 3; do setsid bash spawn >/dev/null 2>&1 </dev/null & done`)
		out, err := srv.Run(t, deleteCommand(t, s))
		require.NoError(t, err)
		require.Equal(t, "removed the virtual host\nremoved the FPM pool\nremoved /home/gone\nremoved the user gone\n", out)
	})
	require.NotContains(t, left, "gone")
	for _, path := range []string{"/home", "/etc/nginx", "/etc/php", "/etc/forge", "/etc/ssh", "/run/php/forge", "/tmp", "/var/tmp"} {
		require.NotContains(t, left, " "+path, left)
	}
	t.Log(left)
	require.Empty(t, srv.Bash(t, `grep -r gone /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid || true`))
	require.Equal(t, "stays", get(t, srv, other.Names[0], "/").body)

	out, err := srv.Run(t, deleteCommand(t, s))
	require.NoError(t, err)
	require.Empty(t, out)
}

// One site's mistake touches no other, whatever is wrong with it.
func TestRejectedConfigurationIsPutBack(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	neighbour, s := phpSite(srv, "neighbour"), phpSite(srv, "mistake")
	create(t, srv, neighbour)
	put(t, srv, neighbour, neighbour.Paths().Web+"/index.php", `<?php echo "fine";`)
	serves := func() {
		t.Helper()
		require.Equal(t, "fine", get(t, srv, neighbour.Names[0], "/").body)
		srv.Bash(t, `nginx -t -q; "php-fpm$1" -t 2>/dev/null; ! ls /etc/nginx/forge.d/*.undo /etc/php/*/fpm/pool.d/*.undo 2>/dev/null`, srv.PHP)
	}
	run := func(cmd sshexec.Command) error {
		_, err := srv.Run(t, cmd)
		return sitectl.Explain(err)
	}
	t.Cleanup(func() { remove(t, srv, s) })

	for _, arg := range []int{vhostArg, poolArg} {
		broken := createCommand(t, s)
		broken.Args[arg] += "\nno_such_directive on;"
		err := run(broken)
		require.ErrorIs(t, err, sitectl.ErrRejected)
		require.ErrorContains(t, err, "it was put back")
		srv.Bash(t, `! test -e "$1" && ! test -e "$2"`, s.Paths().Vhost, s.Paths().Pool)
		serves()
	}

	require.NoError(t, run(createCommand(t, s)))
	put(t, srv, s, s.Paths().Web+"/index.php", `<?php echo "was here before";`)
	for _, arg := range []int{vhostArg, poolArg} {
		broken := createCommand(t, s)
		broken.Args[arg] += "\nno_such_directive on;"
		require.Empty(t, changes(t, srv, func() { require.ErrorIs(t, run(broken), sitectl.ErrRejected) }))
		require.Equal(t, "was here before", get(t, srv, s.Names[0], "/").body)
		serves()
	}
}

func TestConfigurationThatWasBrokenBefore(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	made, s := phpSite(srv, "made"), phpSite(srv, "unmade")
	create(t, srv, made)
	for _, file := range []string{"/etc/nginx/conf.d/zz-broken.conf", "/etc/php/" + srv.PHP + "/fpm/pool.d/zz-broken.conf"} {
		srv.Bash(t, `echo '[broken nonsense' >"$1"`, file)
		require.Empty(t, changes(t, srv, func() {
			_, err := srv.Run(t, createCommand(t, s))
			require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrBrokenBefore)
			require.ErrorContains(t, err, "was broken before")
		}))
		srv.Bash(t, `rm "$1"`, file)
	}
	srv.Bash(t, `echo nonsense >/etc/nginx/conf.d/zz-broken.conf`)
	require.Empty(t, changes(t, srv, func() {
		_, err := srv.Run(t, deleteCommand(t, made))
		require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrBrokenBefore)
	}))
	srv.Bash(t, `rm /etc/nginx/conf.d/zz-broken.conf`)
}

// A run that was killed between swap and test leaves its mark, by which the next
// one puts back what was.
func TestCreateAfterAKilledOne(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "resumed")
	create(t, srv, s)
	srv.Bash(t, `ln "$1" "$1.undo"; echo nonsense >"$1.new"; mv "$1.new" "$1"; echo nonsense >/etc/nginx/forge.d/x.conf; : >/etc/nginx/forge.d/x.conf.undo`, s.Paths().Vhost)
	out, err := srv.Run(t, createCommand(t, s))
	require.NoError(t, err)
	require.Empty(t, out)
	require.Equal(t, "resumed-0190.conf\n", srv.Bash(t, `ls /etc/nginx/forge.d; nginx -t -q`))
}

// A run that is ended when the services run with the new configuration already is
// undone in them too, though the next one finds the files as it wants them.
func TestServicesAfterAKilledOne(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s, other := phpSite(srv, "reverted"), staticSite("another")
	create(t, srv, s)
	create(t, srv, other)
	put(t, srv, s, s.Paths().Web+"/index.php", `<?php echo getenv("WHICH") ?: "old";`)
	answers := func(body string) { // FPM takes it up after the reload
		t.Helper()
		srv.Bash(t, `for ((i = 0; i < 500; i++)); do
	[[ $(curl -sS -H "Host: $1" http://127.0.0.1/) != "$2" ]] || exit 0
	sleep 0.01
done
exit 1`, s.Names[0], body)
	}
	end := func(signal string) {
		t.Helper()
		cmd := createCommand(t, s)
		cmd.Args[vhostArg] = strings.Replace(cmd.Args[vhostArg], "charset utf-8;", "add_header X-Which new always;", 1)
		cmd.Args[poolArg] += "\nenv[WHICH] = new"
		cmd.Script = strings.Replace(cmd.Script, "\nkeep\n", "\nkill -"+signal+" $$\nkeep\n", 1)
		_, err := srv.Run(t, cmd)
		require.Error(t, err)
	}
	isOld := func() {
		t.Helper()
		require.NotContains(t, get(t, srv, s.Names[0], "/").header, "X-Which")
		answers("old")
		srv.Bash(t, `! ls "$1.undo" "$2.undo" 2>/dev/null`, s.Paths().Vhost, s.Paths().Pool)
	}
	again := func() {
		t.Helper()
		out, err := srv.Run(t, createCommand(t, s))
		require.NoError(t, err)
		require.Empty(t, out)
	}

	end("KILL")
	answers("new")
	require.Contains(t, get(t, srv, s.Names[0], "/").header, "X-Which: new")
	again()
	isOld()

	// What others broke is in the way of it, but does not make it forgotten.
	end("KILL")
	const broken = "/etc/nginx/conf.d/zz-broken.conf"
	srv.Bash(t, `echo nonsense >"$1"`, broken)
	_, err := srv.Run(t, createCommand(t, s))
	require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrBrokenBefore)
	srv.Bash(t, `rm "$1"`, broken)
	again()
	isOld()

	end("KILL")
	remove(t, srv, other)
	isOld()

	end("TERM")
	srv.Bash(t, `for ((i = 0; i < 500; i++)); do
	[[ -e $1.undo ]] || exit 0
	sleep 0.01
done
exit 1`, s.Paths().Vhost)
	answers("old")
	srv.Bash(t, `until ! curl -sSi -H "Host: $1" http://127.0.0.1/ | grep -q X-Which; do sleep 0.01; done`, s.Names[0])
}

// A run that was killed before it replaced anything leaves two names of one file,
// which stop no site's commands.
func TestKilledBeforeTheSwap(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s, other := phpSite(srv, "linked"), phpSite(srv, "later")
	create(t, srv, s)
	p := s.Paths()
	killed := func() {
		t.Helper()
		srv.Bash(t, `for file; do ln "$file" "$file.undo"; done`, p.Vhost, p.Pool)
	}
	killed()
	create(t, srv, other)
	killed()
	remove(t, srv, other)
	srv.Bash(t, `! ls "$1.undo" "$2.undo" 2>/dev/null`, p.Vhost, p.Pool)
	put(t, srv, s, p.Web+"/index.php", `<?php echo "still here";`)
	require.Equal(t, "still here", get(t, srv, s.Names[0], "/").body)
}

// A delete that fails late has closed the account, and the site made again
// has it open.
func TestCreateAfterAFailedDelete(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := staticSite("reopened")
	create(t, srv, s)
	busy := s.Paths().Home + "/busy"
	srv.Bash(t, `mkdir "$1"; mount -t tmpfs tmpfs "$1"`, busy)
	_, err := srv.Run(t, deleteCommand(t, s))
	require.ErrorContains(t, err, "cannot be removed")
	srv.Bash(t, `umount "$1"; rm -rf "$1"`, busy)

	login := func() error {
		t.Helper()
		srv.Bash(t, `install -d -o "$1" -g "$1" -m 0700 "$2/.ssh"; install -o "$1" -g "$1" -m 0600 /root/.ssh/authorized_keys "$2/.ssh/"`, s.User, s.Paths().Home)
		target := srv.Target()
		target.User = s.User
		client, err := sshexec.Dial(t.Context(), target)
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = client.Run(t.Context(), sshexec.Command{Script: "true", User: s.User})
		return err
	}
	require.Error(t, login())
	create(t, srv, s)
	require.NoError(t, login())
}

func TestUserOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	srv.Bash(t, `useradd -m somebody; mkdir /home/somewhat`)
	t.Cleanup(func() { srv.Bash(t, `userdel -r somebody 2>/dev/null; rmdir /home/somewhat`) })
	for _, name := range []string{"somebody", "somewhat", "daemon"} {
		s := staticSite(name)
		require.Empty(t, changes(t, srv, func() {
			_, err := srv.Run(t, createCommand(t, s))
			require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrTaken, name)
			remove(t, srv, s)
		}))
	}
	first, second := staticSite("shared"), staticSite("shared")
	second.ID, second.Names = "second", []string{"second.example.com"}
	create(t, srv, first)
	_, err := srv.Run(t, createCommand(t, second))
	require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrTaken)
}

func TestMissingStack(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "early")
	s.PHPVersion = "7.9"
	require.Empty(t, changes(t, srv, func() {
		_, err := srv.Run(t, createCommand(t, s))
		require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrNotInstalled)
	}))
}

// Beside more sites, nginx has more to read when it looks at its configuration.
func BenchmarkCreateAndDelete(b *testing.B) {
	srv := servertest.Start(b)
	s, others := phpSite(srv, "bench"), 0
	for _, sites := range []int{0, 50, 200} {
		for ; others < sites; others++ {
			create(b, srv, phpSite(srv, fmt.Sprintf("other%d", others)))
		}
		b.Run(fmt.Sprintf("beside %d", sites), func(b *testing.B) {
			var created, deleted time.Duration
			for b.Loop() {
				result, err := srv.Client.Run(b.Context(), createCommand(b, s))
				require.NoError(b, err)
				created += result.Duration
				result, err = srv.Client.Run(b.Context(), deleteCommand(b, s))
				require.NoError(b, err)
				deleted += result.Duration
			}
			b.ReportMetric(float64(created.Milliseconds())/float64(b.N), "create-ms")
			b.ReportMetric(float64(deleted.Milliseconds())/float64(b.N), "delete-ms")
		})
	}
}

// A request that runs while another site comes and goes gets its answer.
func TestRequestsOutliveTheReload(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	slow, s := phpSite(srv, "slow"), phpSite(srv, "sudden")
	create(t, srv, slow)
	put(t, srv, slow, slow.Paths().Web+"/index.php", `<?php file_put_contents("/tmp/slow-began", ""); sleep(3); echo "whole answer";`)
	answer := make(chan response)
	go func() { answer <- get(t, srv, slow.Names[0], "/") }()
	srv.Bash(t, `until [[ -e /tmp/slow-began ]]; do sleep 0.01; done`)
	create(t, srv, s)
	require.Equal(t, "whole answer", (<-answer).body)
}

// FPM does not run without a pool: it ends with the last and starts with the first.
func TestOnlyPool(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	srv.Bash(t, `mv "/etc/php/$1/fpm/pool.d/www.conf" /root/`, srv.PHP)
	t.Cleanup(func() {
		srv.Bash(t, `mv /root/www.conf "/etc/php/$1/fpm/pool.d/"; systemctl reload-or-restart "php$1-fpm"`, srv.PHP)
	})
	s := phpSite(srv, "only")
	for range 2 {
		_, err := srv.Run(t, createCommand(t, s))
		require.NoError(t, err)
		put(t, srv, s, s.Paths().Web+"/index.php", `<?php echo "here";`)
		require.Equal(t, "here", get(t, srv, s.Names[0], "/").body)
		remove(t, srv, s)
		require.Equal(t, "inactive\n", srv.Bash(t, `systemctl is-active "php$1-fpm" || true`, srv.PHP))
	}
}

// A command that is stopped in the middle puts back what it replaced.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "halted")
	create(t, srv, s)
	cmd := createCommand(t, s)
	cmd.Args[vhostArg] += "\n# changed"
	// In the place of nginx's reload comes a signal for the script.
	cmd.Script = `systemctl() {
	if [[ $1 == reload && ! ${ended-} ]]; then
		ended=1
		kill -TERM $BASHPID
	fi
	command systemctl "$@"
}
` + cmd.Script
	require.Empty(t, changes(t, srv, func() {
		_, err := srv.Run(t, cmd)
		require.Error(t, err)
	}))
}

func TestLongNames(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := staticSite("long")
	label := strings.Repeat("a", 63)
	s.Names = []string{label + "." + label + "." + label + "." + strings.Repeat("a", 57) + ".com"}
	create(t, srv, s)
	put(t, srv, s, s.Paths().Web+"/index.html", "long")
	require.Equal(t, "long", get(t, srv, s.Names[0], "/").body)
}

// On a server with containers, numbers of users mean others there.
func TestDeleteLeavesContainersAlone(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := staticSite("numbered")
	create(t, srv, s)
	pid := strings.TrimSpace(srv.Bash(t, `mkdir -p /root/container; cd /root/container
		cp --parents /bin/sleep /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 .
		unshare --pid --fork chroot --userspec="$(id -u -- "$1")" . /bin/sleep 120 >/dev/null 2>&1 </dev/null &
		echo $!`, s.User))
	t.Cleanup(func() { srv.Bash(t, `kill -KILL "$(<"/proc/$1/task/$1/children")"; rm -r /root/container`, pid) })
	srv.BashAs(t, s.User, `setsid sleep 120 >/dev/null 2>&1 </dev/null &`)
	remove(t, srv, s)
	srv.Bash(t, `kill -0 "$(<"/proc/$1/task/$1/children")"; [[ $(grep -ls '^Name:.sleep' /proc/[0-9]*/status | wc -l) == 1 ]]`, pid)
}

func TestNginxThatDoesNotRun(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "stopped")
	t.Cleanup(func() { remove(t, srv, s) })
	srv.Bash(t, `systemctl stop nginx`)
	t.Cleanup(func() { srv.Bash(t, `systemctl start nginx`) })
	_, err := srv.Run(t, createCommand(t, s))
	require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrNotReloaded)
	srv.Bash(t, `! ls "$1"* "$2"* 2>/dev/null; ! systemctl is-active nginx; nginx -t -q; "$3" -t 2>/dev/null`, s.Paths().Vhost, s.Paths().Pool, s.Paths().FPM)
	remove(t, srv, s) // needs no running nginx
}
