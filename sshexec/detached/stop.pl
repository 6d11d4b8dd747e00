# stop ends the run with all its processes, or bars it when it has not started:
# a link takes the place of the claim, which is the condition of the start.
sub stop {
	hold();
	symlink 'barred', "$run/claim";
	claimed() or refuse('cannot bar the run, is the disk full?');
	close $lock;
	look();
	if ($state eq 'running') {
		if ($systemd) {
			output('systemctl', '--quiet', 'stop', '--', $unit);
		} else {
			terminate();
		}
		look();
	}
	report();
}

# terminate has the supervisor end the run. Where there is none any more, whose number
# may be another's by now, it ends the process group itself.
sub terminate {
	open my $supervisor, '<', "$run/supervisor" or return;
	my ($pid) = (<$supervisor> // '') =~ /^([0-9]+)$/;
	my $grace = defined $pid ? supervises($pid) : undef;
	if (defined $grace) {
		kill 'TERM', $pid;
		within($grace / 1000 + 60, sub { flock $supervisor, $LOCK_EX });
	} elsif ((my $group, $grace) = group()) {
		kill 'TERM', -$group;
		outlive($grace / 1000) or kill('KILL', -$group), outlive(10);
	} else {
		within(60, sub { flock $supervisor, $LOCK_EX });    # it writes the status
	}
}

# supervises returns the grace of the run when a process is its supervisor.
sub supervises {
	open my $cmdline, '<', "/proc/$_[0]/cmdline" or return;
	local $/;
	my @args = split /\0/, <$cmdline> // '';
	return ($args[1] // '') eq "$run/supervise" ? $args[-1] : undef;
}

# outlive waits for the end of the group, and reports whether it came in so many
# seconds.
sub outlive {
	for (my $left = $_[0]; (group())[0]; $left -= 0.05) {
		return 0 if $left <= 0;
		select undef, undef, undef, 0.05;
	}
	return 1;
}
