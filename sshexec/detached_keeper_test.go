package sshexec_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// await waits until there is such a file.
func (b *box) await(t testing.TB, file string) {
	t.Helper()
	b.sh(t, "timeout 60 bash -c 'until [[ -e %s ]]; do sleep 0.01; done'", file)
}

// A look that asks systemd before the run is claimed, and sees the claim after, says
// nothing of the run and leaves it alone.
func testEarlyLook(t *testing.T, b *box) {
	if !b.systemd {
		return // there the answer comes from a lock, at once
	}
	spec, release := b.held(t)
	b.sh(t, `cat >/run/%[1]s.sh <<-'EOF'
		#!/bin/bash
		/usr/bin/systemctl "$@"
		code=$?
		if [[ $1 == show && $* == *%[1]s* ]] && mkdir /run/%[1]s.asked 2>/dev/null; then
			until [[ -d /var/lib/forge/runs/%[1]s/claim ]]; do sleep 0.01; done
		fi
		exit $code
	EOF
	chmod 755 /run/%[1]s.sh
	cp /run/%[1]s.sh /run/%[1]s.systemctl
	mv /run/%[1]s.systemctl /usr/local/bin/systemctl`, spec.ID)
	c := b.dial(t)
	var status sshexec.RunStatus
	var err error
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		status, err = c.Status(t.Context(), spec.ID)
	}()
	b.await(t, "/run/"+spec.ID+".asked")
	run := b.follow(t, spec)
	<-looked
	require.NoError(t, err)
	require.Equal(t, sshexec.RunUnknown, status.State)
	release()
	status, _ = run.wait(t)
	require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, LogSize: 5}, status)
}

// A disk that takes too long for systemd costs no status.
func testKilledEnd(t *testing.T, b *box) {
	if !b.systemd {
		return // there the end has all the time it needs
	}
	for end, want := range map[string]sshexec.RunStatus{
		"exit 0": exited(0), "exit 3": exited(3), "kill -SEGV $$": signaled("SEGV"), "kill -RTMIN $$": signaled("RTMIN"),
	} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			spec, release := b.held(t)
			spec.Script = append(spec.Script, "; "+end...)
			spec.StopTimeout = 100_000_000
			run := b.follow(t, spec)
			b.sh(t, `echo '$SIG{TERM} = "IGNORE"; sleep 1000' >/var/lib/forge/runs/%s/end`, spec.ID)
			release()
			status, log := run.wait(t)
			want.LogSize = int64(len(log))
			require.Equal(t, want, status)
			status, err := b.dial(t).Status(t.Context(), spec.ID)
			require.NoError(t, err)
			require.Equal(t, want, status)
			require.Equal(t, "claim\nlog\nstatus\n", b.sh(t, "ls /var/lib/forge/runs/%s", spec.ID))
		})
	}
}

// A stop that comes when the script has ended and its status is about to be written.
func testStopAtEnd(t *testing.T, b *box) {
	if b.systemd {
		return // there systemd does no more then than wait
	}
	spec, release := b.held(t)
	run := b.follow(t, spec)
	b.sh(t, `cd /var/lib/forge/runs/%[1]s; mv end kept; cat >end <<-'EOF'
		$SIG{TERM} = 'IGNORE';
		mkdir '/run/%[1]s.ending';
		select undef, undef, undef, 0.01 until -e '/run/%[1]s.go';
		exec 'perl', 'kept', @ARGV;
	EOF`, spec.ID)
	release()
	b.await(t, "/run/"+spec.ID+".ending")
	b.sh(t, `pid=$(</var/lib/forge/runs/%[1]s/supervisor); kill -TERM $pid; touch /run/%[1]s.go
		timeout 20 tail --pid=$pid -f /dev/null`, spec.ID)
	status, _ := run.wait(t)
	require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, LogSize: 5}, status)
}

// A run that nobody could stop does not start.
func testUnsupervised(t *testing.T, b *box) {
	if b.systemd {
		return
	}
	c := b.dial(t)
	for _, file := range []string{"supervisor", "pgid", "signaled"} {
		spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran")}
		b.sh(t, "mkdir -p /var/lib/forge/runs/%s/%s", spec.ID, file)
		var start *sshexec.StartError
		_, err := c.Attach(t.Context(), spec, 0, io.Discard)
		require.ErrorAs(t, err, &start)
		require.Contains(t, start.Reason, file+": Is a directory")
		b.sh(t, "rmdir /var/lib/forge/runs/%s/%s", spec.ID, file)
		_, log := attach(t, c, spec)
		require.Equal(t, "ran\n", log)
	}
}

// A script whose supervisor was killed runs on, and can be stopped.
func testKilledSupervisor(t *testing.T, b *box) {
	if b.systemd {
		return
	}
	c := b.dial(t)
	for leader, killed := range map[string]string{"lives": "", "is gone": "%s"} {
		spec := sshexec.RunSpec{ID: newID(), Script: []byte("trap '' TERM; sleep 1000 & echo $$ $!; wait")}
		run := b.follow(t, spec)
		pids := strings.Fields(run.log.String())
		killed = strings.ReplaceAll(killed, "%s", pids[0])
		b.sh(t, `cd /var/lib/forge/runs/%s; for pid in $(<supervisor) %s; do kill -KILL $pid; timeout 20 tail --pid=$pid -f /dev/null; done`, spec.ID, killed)
		status, err := c.Status(t.Context(), spec.ID)
		require.NoError(t, err)
		require.Equal(t, sshexec.RunRunning, status.State, leader)
		status, err = c.Stop(t.Context(), spec.ID)
		require.NoError(t, err)
		require.Equal(t, sshexec.RunInterrupted, status.State, leader)
		require.Equal(t, "gone\n", b.sh(t, "for p in %s; do [[ ! -e /proc/$p/exe ]]; done; echo gone", strings.Join(pids, " ")))
		got, _ := run.wait(t)
		require.Equal(t, status, got)
	}
	// What has the number of a supervisor or of a group by now is left alone.
	id := newID()
	b.sh(t, `mkdir -p /var/lib/forge/runs/%[1]s/claim; cd /var/lib/forge/runs/%[1]s
		setsid bash -c 'echo $$ >other; exec sleep 1000' >/dev/null 2>&1 &
		until [[ -s other ]]; do sleep 0.01; done
		cp other supervisor; echo "$(<other) 1 $(</proc/sys/kernel/random/boot_id) 100" >pgid`, id)
	status, err := c.Stop(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunInterrupted, status.State)
	b.sh(t, "kill $(</var/lib/forge/runs/%s/other)", id)
}

// A supervisor of a start that was killed comes when another has the run.
func testLateSupervisor(t *testing.T, b *box) {
	if b.systemd {
		return
	}
	spec, release := b.held(t)
	run := b.follow(t, spec)
	b.sh(t, "cd /var/lib/forge/runs/%s; before=$(<supervisor); timeout 20 bash supervise $PWD 0 0 /root 100; [[ $(<supervisor) == $before ]]", spec.ID)
	release()
	run.wait(t)
}

// A script whose claim a power loss could take away does not start.
func testUnstoredClaim(t *testing.T, b *box) {
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran")}
	b.sh(t, `cat >/run/%[1]s.sync <<-'EOF'
		#!/bin/sh
		case "$*" in "/var/lib/forge/runs/%[1]s /var/lib/forge/runs") [ ! -d "$1/claim" ] || exit 1 ;; esac
		exec /usr/bin/sync "$@"
	EOF
	chmod 755 /run/%[1]s.sync
	cp /run/%[1]s.sync /usr/local/bin/.sync
	mv /usr/local/bin/.sync /usr/local/bin/sync`, spec.ID)
	c := b.dial(t)
	var start *sshexec.StartError
	_, err := c.Attach(t.Context(), spec, 0, io.Discard)
	require.ErrorAs(t, err, &start)
	b.sh(t, "rm /usr/local/bin/sync")
	_, log := attach(t, c, spec)
	require.Equal(t, "ran\n", log)
}

// A follower that is ended is no end of the run.
func testKilledFollower(t *testing.T, b *box) {
	spec, release := b.held(t)
	run := b.follow(t, spec)
	b.sh(t, `for f in $(grep -lzxsF -- %s /proc/[0-9]*/cmdline); do
		! grep -qz ^perl $f || kill -TERM $(cut -d / -f 3 <<<$f)
	done`, spec.ID)
	<-run.done
	require.ErrorIs(t, run.err, sshexec.ErrUnknown)
	release()
	_, log := attach(t, b.dial(t), spec)
	require.Equal(t, "held\n", log)
}

// A start that was cut short before the claim leaves no secrets, and one that still
// receives is not disturbed.
func testCleanCutStart(t *testing.T, b *box) {
	c := b.dial(t)
	id := newID()
	b.sh(t, `mkdir -p /var/lib/forge/runs; cd /var/lib/forge/runs; mkdir -p %[1]s/files .new.%[1]s.1/files .new.%[1]s.2
		touch %[1]s/{script,environ,files/key} .new.%[1]s.1/{environ,files/key}
		flock --no-fork .new.%[1]s.2 sleep 1000 >/dev/null 2>&1 &
		echo $! >/run/%[1]s.pid
		while flock --nonblock .new.%[1]s.2 true; do sleep 0.01; done`, id)
	require.NoError(t, c.Clean(t.Context(), id))
	require.Equal(t, ".new.%[1]s.2\n%[1]s\n", strings.ReplaceAll(b.sh(t, "cd /var/lib/forge/runs; ls -A | grep %[1]s; ls -A %[1]s", id), id, "%[1]s"))
	b.sh(t, "kill $(</run/%s.pid)", id)
	b.sh(t, "while ! flock --nonblock /var/lib/forge/runs/.new.%s.2 true; do sleep 0.01; done", id)
	require.NoError(t, c.Clean(t.Context(), id))
	require.Empty(t, b.sh(t, "ls -d /var/lib/forge/runs/.new.%s.* 2>/dev/null || :", id))
}

// The power fails between the status and its name, or before either.
func testUnnamedStatus(t *testing.T, b *box) {
	c := b.dial(t)
	for files, want := range map[string]sshexec.RunStatus{
		"status.new 'exited 3 exit-code'": exited(3),
		"status.new ' '":                  {State: sshexec.RunInterrupted},
		"status ' '":                      {State: sshexec.RunInterrupted},
	} {
		id := newID()
		b.sh(t, "mkdir -p /var/lib/forge/runs/%[1]s/claim; cd /var/lib/forge/runs/%[1]s; store() { printf '%%-63s\\n' \"$2\" >$1; }; store %[2]s", id, files)
		for range 2 {
			status, err := c.Status(t.Context(), id)
			require.NoError(t, err, files)
			require.Equal(t, want, status, files)
		}
	}
}

// A script that says what runs it is run by nothing else.
func TestDetachedNoexec(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sh(t, "mkdir -p /var/lib/forge/runs; mount -t tmpfs -o noexec,mode=711 runs /var/lib/forge/runs")
	for _, systemd := range []bool{true, false} {
		if !systemd {
			b.sh(t, "mv /run/systemd/system /run/systemd/hidden")
		}
		status, log := attach(t, b.dial(t), sshexec.RunSpec{ID: newID(), Script: []byte("#!/bin/sh\necho ran")})
		require.Equal(t, 126, status.ExitCode)
		require.Contains(t, log, "Permission denied")
	}
}
