# follow copies the log to stdout, from one byte to another, until the run has
# ended, and reports.
#
# stdin tells whether the client is there: it sends a byte every few seconds, and
# its end is the end of this script. (A connection that was cut is not seen by sshd
# for hours, when nothing is printed.)
sub follow {
	my ($pos, $max) = @_;
	look() if !defined $state;
	if ($state eq 'unknown') {
		report();
		return;
	}
	my $log;
	open $log, '<', "$run/log" or open $log, '<', '/dev/null';
	if ($pos > 0) {
		return if shrunk($log, $pos);
		sysseek $log, $pos, 0;
	}
	my $changes = $state eq 'running' ? watch() : undef;
	my ($silent, $unseen) = (0, 0);    # seconds since the client was heard, and since all was looked at
	while (1) {
		my $over = $state ne 'running' || ended();
		my $copied = copy($log, $max - $pos);
		$pos += $copied;
		last if $over;

		# What is printed meanwhile comes in one piece: line by line, following would
		# take more than printing.
		my $pause = $copied > 0 || $pos >= $max ? 0.002 : 0;
		select undef, undef, undef, $pause if $pause;
		my ($waited, $heard) = await($changes);
		$waited += $pause;
		$silent = $heard ? 0 : $silent + $waited;
		exit 0 if $silent > 20;
		if (($unseen += $waited) >= 5) {
			return if shrunk($log, $pos);
			look();
			$unseen = 0;
		}
	}
	return if shrunk($log, $pos);
	tell_client("copied $pos");
	report();
}

# watch returns a handle that can be read when the log grew, or the status came, or
# nothing where the system gives none. (That is dnotify: to close inotify takes
# longer than all else here.)
sub watch {
	my ($F_NOTIFY, $DN_MULTISHOT, $DN_MODIFY, $DN_CREATE, $DN_RENAME) = (1026, 0x80000000, 0x2, 0x4, 0x10);
	my ($NONBLOCK, $CLOEXEC) = (04000, 02000000);
	my $SIGIO = pack 'Q', 1 << 28;
	my ($sigprocmask, $signalfd) = calls() or return;
	syscall($sigprocmask, 0, $SIGIO, 0, 8) == 0 or return;    # SIG_BLOCK
	my $fd = syscall $signalfd, -1, $SIGIO, 8, $NONBLOCK | $CLOEXEC;
	$fd >= 0 && open(my $changes, '<&=', $fd) && open $watched, '<', $run or return;
	fcntl $watched, $F_NOTIFY, $DN_MULTISHOT | $DN_MODIFY | $DN_CREATE | $DN_RENAME or return;
	return $changes;
}

our $watched;    # as long as it is open

# calls returns the numbers of rt_sigprocmask and signalfd4, on amd64 and on arm64.
# They are told by the machine in the ELF head of perl: 62 and 183.
sub calls {
	my ($AMD64, $ARM64) = ("\x3e\0", "\xb7\0");
	sysopen my $perl, '/proc/self/exe', 0 or return;
	sysread $perl, my $head, 20;
	return @{{$AMD64 => [14, 289], $ARM64 => [135, 74]}->{substr $head, 18, 2} // []};
}

# await waits for a change, or for the client. It returns how many seconds that
# took, and whether the client was heard; where the client has gone, it ends all.
sub await {
	my ($changes) = @_;
	my ($ready, $most) = ('', $changes ? 5 : 0.02);
	vec($ready, 0, 1) = 1;
	vec($ready, fileno $changes, 1) = 1 if $changes;
	my (undef, $left) = select $ready, undef, undef, $most;
	my $waited = $most - $left;
	my $heard = vec $ready, 0, 1;
	if ($heard) {
		sysread(STDIN, my $beats, 64) or exit 0;
	}
	sysread $changes, my $signal, 128 if $changes && vec $ready, fileno $changes, 1;
	return ($waited, $heard);
}

# copy copies what there is, but no more than so many bytes, and returns how many
# that were.
sub copy {
	my ($log, $most) = @_;
	my $copied = 0;
	while ($copied < $most) {
		my $size = $most - $copied < 1 << 17 ? $most - $copied : 1 << 17;
		my $n = sysread $log, my $part, $size or last;
		for (my $at = 0; $at < $n;) {
			$at += syswrite(STDOUT, $part, $n - $at, $at) // exit 0;    # the client has gone
		}
		$copied += $n;
	}
	return $copied;
}

# shrunk reports when the log is shorter than what was read of it. A script can
# truncate its own stdout.
sub shrunk {
	my ($log, $pos) = @_;
	return 0 if (-s $log || 0) >= $pos;
	tell_client('shrunk');
	report();
	return 1;
}
