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

sub tell_client {
	print STDERR "forge-run: $_[0]\n";
}

sub refuse {
	my ($why) = @_;
	$why =~ s/\n+\z//;
	$why =~ s/\n/; /g;
	tell_client("refused $why");
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
	return !flock $supervisor, $LOCK_SH | $LOCK_NB;
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

# hold keeps starts and stops of one run apart. The lock is the directory itself.
sub hold {
	directory($run);
	open $lock, '<', $run or refuse("cannot store the run: open $run: $!");
	within(60, sub { flock $lock, $LOCK_EX }) or refuse('another start or stop of the run takes too long');
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
	return if ended();
	if (-l "$run/claim") {
		$state = 'barred';
	} elsif (alive()) {
		$state = 'running';
	} elsif (ended()) {    # the status is written before its keeper goes
		return;
	} elsif (claimed()) {
		$state = 'interrupted';
		discard();
	} else {
		$state = 'unknown';
	}
}

sub ended {
	open my $status, '<', "$run/status" or return 0;
	(<$status> // '') =~ /^(.*?) *\n/ or return 0;
	$state = $1;
	return 1;
}

# report says the state and the size of the log. It comes last.
sub report {
	my $size = -s "$run/log" || 0;
	tell_client("state $size $state");
	unload() unless $state =~ /^(?:unknown|running|barred)\z| success\z/;
}

# unload makes systemd forget a unit that failed: all there is to know is in the
# status file. The stop waits for a unit that is about to end.
sub unload {
	return unless $systemd;
	output('systemctl', '--quiet', 'stop', '--', $unit);
	output('systemctl', '--quiet', 'reset-failed', '--', $unit);
}
