# What each script on key files begins with. It is perl without a module, as
# loading one costs more than the work. Numbers stand for the system's names, and
# are the same on amd64 and arm64.

our $place = '/etc/ssh/authorized_keys.d';

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
	while (my $n = sysread($in, $text, 1 << 16, length $text) // refused(84, $file)) {
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

# failure returns the status and the text, in one line, of what ended some work.
sub failure {
	my ($status, $text) = ref $@ ? @{$@} : (1, $@);
	$text =~ tr/\0-\x1f\x7f/ /;
	return ($status, $text);
}

umask 0;
$SIG{IO} = 'IGNORE';

