my $root_groups = $);

# as_user runs work with a user's rights on files, and none of root's. The real
# user stays root, so that this process takes no signal of the user's.
sub as_user {
	my ($name, $uid, $gid, $work) = @_;
	return $work->() if $uid == 0;
	my %groups = ($gid => 1);
	while (my (undef, undef, $id, $members) = getgrent) {
		$groups{$id} = 1 if index(" $members ", " $name ") >= 0;
	}
	endgrent;
	$) = join ' ', $gid, keys %groups;
	$> = $uid;
	my $is_user = $> == $uid && $) =~ /^$gid /;
	my @result = eval { fail(1, "cannot become $name: $!") if !$is_user; $work->() };
	my $failure = $@;
	$> = 0;
	$) = $root_groups;
	die $failure if $failure;
	return @result;
}

# in_home runs work as a user whose home is there, and gives it the file.
sub in_home {
	my ($name, $work) = @_;
	my (undef, undef, $uid, $gid, undef, undef, undef, $home) = getpwnam $name or fail(81, "there is no user $name");
	return as_user($name, $uid, $gid, sub {
		no_home($name, $home) if !stat $home || !-d _;
		return $work->("$home/.ssh/authorized_keys");
	});
}

