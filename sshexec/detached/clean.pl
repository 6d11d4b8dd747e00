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
			for my $new (grep { /^\.new\.\Q$id\E\./ } entries($runs)) {    # of starts that were killed
				remove("$runs/$new/files");
				remove("$runs/$new");
			}
		}
		close $lock;
	}
	report();
}
