# attach starts the run where it has no claim yet, and follows it. stdin begins
# with the payload, of that many bytes.
sub attach {
	my ($from, $max, $size, $user, $dir, $grace, $key, $epoch) = @_;
	$unread = $size;
	if (claimed()) {
		$received = '' while more();
	} else {
		my $hastener = $systemd ? hasten() : undef;
		receive();
		fence($key, $epoch) if $key ne '';
		start($user, $dir, $grace);
		close Forge::Lock if $key ne '';
		abandon();
		@SIG{'HUP', 'INT', 'PIPE', 'TERM'} = ('DEFAULT') x 4;    # a follower that is killed says so
		waitpid $hastener, 0 if $hastener;
	}
	follow($from, $max);
}

# The payload: what has come of it and was not taken, and how much is to come.
our ($received, $unread) = ('', 0);

# more adds to what has been received, and reports whether anything came.
sub more {
	my $most = $unread < 1 << 17 ? $unread : 1 << 17;
	my $n = sysread(STDIN, $received, $most, length $received) || 0;
	$unread -= $n;
	return $n > 0;
}

# The directory of what is received. It goes when this process ends early. As long as
# it is locked, there is somebody to fill it.
our ($new, $receiver, $filling);

sub abandon {
	return if !defined $new || $$ != $receiver;
	remove($new);
	close $filling if $filling;
	undef $new;
}

END { local $?; abandon() }

# receive stores the payload in a new directory. All of it is here before anything
# is locked: a client that vanishes on the way holds up nobody.
sub receive {
	directory();
	$receiver = $$;
	@SIG{'HUP', 'INT', 'PIPE', 'TERM'} = (sub { exit 1 }) x 4;
	$new = "$runs/.new.$id." . int rand 2**48;
	mkdir $_ or refuse("cannot store the script: make $_: $!") for $new, "$new/files";
	open $filling, '<', $new and flock $filling, $LOCK_EX | $LOCK_NB;
	within(300, sub {
		receive_file() while $received ne '' || $unread > 0;
		return 1;
	}) or refuse('the script takes too long to come');
	-e "$new/script" or lost();
}

# receive_file stores the next file of the payload. Before its content stands a line
# with its mode, its size and its name.
sub receive_file {
	more() || lost() until $received =~ /\n/;
	$received =~ s/^([0-7]+) ([0-9]+) (.+)\n// or refuse('the script comes in another form');
	my ($mode, $left, $file) = ($1, $2, "$new/$3");
	sysopen my $out, $file, 0301, 0600 or refuse("cannot store the script: create $file: $!");    # O_WRONLY, O_CREAT, O_EXCL
	while ($left > 0) {
		more() || lost() if $received eq '';
		my $n = syswrite $out, $received, $left < length $received ? $left : length $received;
		$n or refuse("cannot store the script: write $file: $!");
		substr $received, 0, $n, '';
		$left -= $n;
	}
	close $out && chmod oct $mode, $file or refuse("cannot store the script: write $file: $!");
}

sub lost {
	refuse('the connection was lost before the whole script came');
}

# fence goes on under the fence of the key, or ends this process.
sub fence {
	@ARGV = (@_, 'forge-run:');
	eval $fence;
	die $@ if $@;
	umask 066;
}

# hasten makes the start of a unit take some 10 ms less. systemd moves the first
# process of a unit to a new control group, for which the kernel waits a grace
# period, unless that has passed for another move. So there is one: of a process to
# where it is. It returns that process.
sub hasten {
	my $pid = fork;
	return $pid if $pid || !defined $pid;
	open my $self, '<', '/proc/self/cgroup';
	my ($group) = map { /^0::(.*)/ } <$self>;
	if (defined $group && open my $procs, '>', "/sys/fs/cgroup$group/cgroup.procs") {
		syswrite $procs, $$;
	}
	kill 'KILL', $$;
}
