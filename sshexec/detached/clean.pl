# clean removes what a run that has ended left, or a start that was cut short, but for
# the claim and the status: it never runs again.
sub clean {
	$state = 'unknown';
	if (-d $run) {
		hold();
		look();
		if ($state ne 'running') {
			discard();
			unlink map { "$run/$_" } @left;
		}
		close $lock;
	}
	for my $dir (map { "$runs/$_" } grep { /^\.new\.\Q$id\E\./ } entries($runs)) {
		open my $received, '<', $dir or next;
		remove($dir) if flock $received, $LOCK_EX | $LOCK_NB;    # who filled it was killed
	}
	report();
}
