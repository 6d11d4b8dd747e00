# quiet waits until nobody has a file open to write it, for half a second at most:
# then alone a read lease is given, by F_SETLEASE.
sub quiet {
	my ($in) = @_;
	for (1 .. 50) {
		if (fcntl $in, 1024, 0) {
			fcntl $in, 1024, 2;
			return;
		}
		return if $! != 11;    # EAGAIN, or this file has no leases
		select undef, undef, undef, 0.01;
	}
}

# slurp reads the rest of an open file.
sub slurp {
	my ($in, $file, $most) = @_;
	my $text = '';
	while (sysread($in, $text, 1 << 16, length $text) // refused(84, $file)) {
		fail(88, "$file is larger than $most bytes") if length $text > $most;
	}
	return $text;
}

# content reads a file and returns what it holds and the open file, or nothing where
# there is none. It does not wait for the other end of a FIFO; for those who are
# writing it does if asked.
sub content {
	my ($file, $most, $wait) = @_;
	sysopen my $in, $file, 04000 or $! == 2 ? return : refused(84, $file);    # O_NONBLOCK, ENOENT
	fail(84, "$file is no file") if !-f $in;
	quiet($in) if $wait;
	return (slurp($in, $file, $most), $in);
}

