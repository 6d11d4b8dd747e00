# What every script on a detached run begins with. Its first argument is the id of
# the run.
#
# stdout belongs to the log of the run. What is said to the client goes to stderr,
# where nothing that the run prints can come, in lines that begin with "forge-run: ".
umask 066;    # directories that can be passed but not listed, files for root alone

our $id        = shift;
our $runs      = '/var/lib/forge/runs';
our $run       = "$runs/$id";
our $unit      = "forge-run-$id.service";
our $unit_file = "/run/systemd/system/$unit";
our $systemd   = -d '/run/systemd/system';
our ($LOCK_SH, $LOCK_EX, $LOCK_NB) = (1, 2, 4);
our ($state, $lock);
our @left      = qw(log supervisor pgid signaled);    # what is there beside, for its keeper and the client

sub tell_client {
	print STDERR "forge-run: $_[0]\n";
}

# refuse ends this process. Of a run that has its claim it tells nothing that could
# pass for a start that was refused.
sub refuse {
	my ($why) = @_;
	$why =~ s/\n+\z//;
	$why =~ s/\n/; /g;
	if (claimed()) {
		print STDERR "$why\n";
	} else {
		tell_client("refused $why");
	}
	exit 1;
}

# claimed: the run has started, or is barred from it.
sub claimed {
	return !!lstat "$run/claim";
}

# alive: something keeps the run. While systemd cannot be asked, as when it
# re-executes itself, the answer is yes.
sub alive {
	if ($systemd) {
		my $shown = output('systemctl', 'show', '--property=ActiveState,Job', '--', $unit);
		return $shown =~ /^Job=[1-9]/m || $shown !~ /^ActiveState=(?:inactive|failed)$/m;    # a job: it waits to be started
	}
	open my $supervisor, '<', "$run/supervisor" or return 0;
	return !flock($supervisor, $LOCK_SH | $LOCK_NB) || defined((group())[0]);
}

# group returns the process group of a script whose supervisor was killed, while any
# of it lives, and its grace. A group that took the number over is not it: that began
# at another time, or at another boot.
sub group {
	local $/;    # a process may have a line end in its name
	open my $file, '<', "$run/pgid" or return;
	my ($group, $begun, $boot, $grace) = (<$file> // '') =~ /^(\d+) (\d+) (\S+) (\d+) *\n/ or return;
	open my $now, '<', '/proc/sys/kernel/random/boot_id' or return;
	kill(0, -$group) && <$now> eq "$boot\n" or return;
	my $lives = 0;
	for my $pid (grep { /^\d/ } entries('/proc')) {
		open my $stat, '<', "/proc/$pid/stat" or next;
		my ($state, $its, $start) = (split ' ', (<$stat> // '') =~ s/.*\) //sr)[0, 2, 19];
		next if ($its // 0) != $group;
		return if $pid == $group && $start != $begun;
		$lives ||= $state !~ /[ZX]/;
	}
	return $lives ? ($group, $grace) : ();
}

# output returns what a command prints.
sub output {
	my $pid = open(my $from, '-|') // refuse("fork: $!");
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>&', STDOUT;
		exec {$_[0]} @_ or print STDERR "$_[0]: $!\n";
		kill 'KILL', $$;    # whatever this process has yet to do is its parent's
	}
	local $/;
	return <$from> // '';
}

# within gives a wait so many seconds, and reports whether it came to its end.
sub within {
	my ($seconds, $wait) = @_;
	local $SIG{ALRM} = sub { die "late\n" };
	my $done = eval {
		alarm $seconds;
		my $ended = $wait->();
		alarm 0;
		$ended;
	};
	alarm 0;
	return $done;
}

# hold keeps starts, stops and ends of one run apart. The lock is the directory
# itself. It reports whether this process did not have it already.
sub hold {
	return 0 if $lock && defined fileno $lock;
	directory($run);
	open $lock, '<', $run or refuse("cannot store the run: open $run: $!");
	within(60, sub { flock $lock, $LOCK_EX }) or refuse('another start or stop of the run takes too long');
	return 1;
}

# directory makes a directory of the runs where there is none.
sub directory {
	my $EEXIST = 17;
	for my $dir ('/var/lib/forge', $runs, @_) {
		mkdir $dir or $! == $EEXIST or refuse("cannot store the run: make $dir: $!");
	}
}

# discard removes everything that a run needs only to start.
sub discard {
	unlink $unit_file, map { "$run/$_" } qw(script launch supervise end environ status.new);
	remove("$run/files");
}

# remove removes a directory and what is in it.
sub remove {
	my ($dir) = @_;
	for my $path (map { "$dir/$_" } entries($dir)) {
		unlink $path or remove($path);
	}
	rmdir $dir;
}

sub entries {
	opendir my $list, $_[0] or return;
	return grep { !/^\.\.?\z/ } readdir $list;
}

# look sets the state: unknown, running, barred, interrupted, or what the status
# file says, as "exited 0 success", "killed TERM signal", "dumped SEGV core-dump".
sub look {
	judge();
	return if $state ne 'interrupted';
	my $new = hold();
	judge();
	settle() if $state eq 'interrupted';
	close $lock if $new;
}

# judge sets the state as the files and the keeper tell it. A keeper makes the claim,
# so only a claim from before it was asked for is one that nobody keeps.
sub judge {
	return if ended();
	my $claimed = claimed();
	if (-l "$run/claim") {
		$state = 'barred';
	} elsif (alive()) {
		$state = 'running';
	} elsif (!ended()) {    # the status is written before its keeper goes
		$state = $claimed ? 'interrupted' : 'unknown';
	}
}

# ended reports whether there is a status, and sets the state to it.
sub ended {
	my $status = status('status') // return 0;
	$state = $status;
	return 1;
}

# status reads a status file. It is blank until the end.
sub status {
	open my $status, '<', "$run/$_[0]" or return;
	return (<$status> // '') =~ /^(\S.*?) *\n/ ? $1 : undef;
}

# settle ends a run that nobody keeps, under its lock: as its keeper wrote and had no
# time to name, or as systemd remembers its main process. Else nobody saw its end.
sub settle {
	if (defined status('status.new') || $systemd && recall()) {
		rename "$run/status.new", "$run/status" or refuse("write $run/status: $!");
		ended();
	}
	discard();
	unload();
}

# recall writes the status where systemd ended the last process of the run too, as it
# does when the disk takes too long. It forgets a unit that failed when it goes down.
sub recall {
	my %unit = output('systemctl', 'show', '--property=ExecMainCode,ExecMainStatus,Result', '--', $unit) =~ /^(\w+)=(.+)$/mg;
	my $code = $unit{ExecMainCode} // refuse("systemd does not tell of $unit");
	$code = (undef, 'exited', 'killed', 'dumped')[$code] // return 0;
	my $status = $unit{ExecMainStatus};
	chomp($status = output('bash', '-c', "kill -l $status")) if $code ne 'exited';
	return 0 if "$code $status" ne 'exited 0' && output('systemctl', 'is-system-running') eq "stopping\n";
	my $out;
	open $out, '+<', "$run/status.new" or open $out, '>', "$run/status.new" or refuse("write $run/status.new: $!");
	print {$out} sprintf "%-63s\n", "$code $status $unit{Result}";
	close $out && output('sync', "$run/status.new") eq '' or refuse("write $run/status.new: $!");
	return 1;
}

# report says the state and the size of the log. It comes last. (What was interrupted
# is unloaded under the lock.)
sub report {
	my $size = -s "$run/log" || 0;
	tell_client("state $size $state");
	unload() unless $state =~ /^(?:unknown|running|barred|interrupted)\z| success\z/;
}

# unload makes systemd forget a unit that failed: all there is to know is in the
# status file. The stop waits for a unit that is about to end.
sub unload {
	return unless $systemd;
	output('systemctl', '--quiet', 'stop', '--', $unit);
	output('systemctl', '--quiet', 'reset-failed', '--', $unit);
}
