# in_place runs work on root's own file for a user, who need not be there.
sub in_place {
	my ($name, $work) = @_;
	if (my @stat = lstat $place) {
		fail(84, "$place is no directory that only root can write") if !-d _ || $stat[4] != 0 || $stat[2] & 022;
	}
	fail(84, "$place/$name is a symbolic link") if -l "$place/$name";
	return $work->("$place/$name");
}

