# What went wrong, in words. Compiled when it is needed.

our $place;

# fail ends the work on a user's file with a status that Go knows.
sub fail {
	my ($status, $text) = @_;
	die [$status, $text];
}

# refused fails with the status for what the system said in $!, or a default.
sub refused {
	my ($status, $what) = @_;
	my $errno = $! + 0;
	$status = 82 if $errno == 28 || $errno == 122;    # ENOSPC, EDQUOT
	$status = 83 if $errno == 30;                     # EROFS
	fail($status, "$what: $!");
}

# no_home says why a home is none.
sub no_home {
	my ($name, $home) = @_;
	fail(85, "the home $home of $name is no directory") if stat $home;
	fail(85, "the home $home of $name is missing") if $! == 2 || $! == 20;    # ENOENT, ENOTDIR
	refused(84, $home);
}

# failure returns the status and the text, in one line, of what ended some work.
sub failure {
	my ($status, $text) = ref $@ ? @{$@} : (1, $@);
	$text =~ tr/\0-\x1f\x7f/ /;
	return ($status, $text);
}

# unsafe says why root's place is not safe to work in.
sub unsafe {
	my ($name) = @_;
	fail(84, "$place/$name is a symbolic link") if -l "$place/$name";
	fail(84, "$place is no directory that only root can write");
}
