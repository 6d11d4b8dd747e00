# clean removes what a run that has ended left, but for its claim and status: it
# never runs again.
sub clean {
	$state = 'unknown';
	if (-d $run) {
		hold();
		look();
		if ($state ne 'running' && $state ne 'unknown') {
			discard();
			unlink map { "$run/$_" } qw(log supervisor pgid signaled);
			remove("$runs/$_") for grep { /^\.new\.\Q$id\E\./ } entries($runs);    # of starts that were killed
		}
		close $lock;
	}
	report();
}
