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
		} elsif (open my $supervisor, '<', "$run/supervisor") {
			kill 'TERM', <$supervisor> =~ /^([0-9]+)$/;
			flock $supervisor, $LOCK_EX;
		}
		look();
	}
	report();
}
