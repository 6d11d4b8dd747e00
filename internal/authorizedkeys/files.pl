# Files, locks and the ways to replace a file, on every machine and file system.
# Compiled when they are needed, after failures.pl and content.pl.

our $most = 16 << 20;    # bytes of a file
our $sync = 04010000;    # O_SYNC

# target follows the symbolic links of a file, so that they stay.
sub target {
	my ($file) = @_;
	for (1 .. 40) {
		my $to = readlink $file;
		return $file if !defined $to;
		$file = $to =~ m{^/} ? $to : $file =~ s{[^/]*\z}{$to}r;
	}
	fail(84, "$file: too many symbolic links");
}

# locked gives one edit at a time the file, for as long as its result lives. In a
# home it is the directory that is locked, as anything else would be left there.
sub locked {
	my ($user) = @_;
	my $dir = $user->{home} ? $user->{path} =~ s{/[^/]*\z}{}r : $place;
	if (mkdir $dir, $user->{home} ? 0700 : 0755) {
		$user->{made} = $dir;
	} elsif ($! != 17) {    # EEXIST
		refused(1, $dir);
	}
	# Root's directory itself could be locked by anyone.
	my ($file, $flags) = $user->{home} ? ($dir, 04000) : ("$dir/.lock", 0102);    # O_NONBLOCK; O_CREAT, O_RDWR
	sysopen my $lock, $file, $flags, 0600 or refused(84, $file);
	local $SIG{ALRM} = sub { fail(86, "$file was locked by another for 30 s") };
	alarm 30;
	my $ok = eval { flock $lock, 2 or refused(1, $file) };
	alarm 0;
	die $@ if !$ok;
	$SIG{$_} = 'IGNORE' for 'HUP', 'INT', 'TERM';    # the rest is short, and leaves nothing when it is done
	return $lock;
}

# opened opens a file to write, so that it is on the disk at once.
sub opened {
	my ($file, $flags, $mode) = @_;
	my $out;
	return $out if sysopen $out, $file, $flags | $sync, $mode;
	refused(1, $file) if !$sync || $! != 22;    # EINVAL: this machine refuses O_SYNC
	$sync = 0;
	return opened(@_);
}

# put writes all of a text, or returns with $!.
sub put {
	my ($out, $file, $text) = @_;
	for (my $at = 0; $at < length $text;) {
		$at += syswrite($out, $text, length($text) - $at, $at) // return 0;
	}
	return $sync || system('sync', $file) == 0;
}

# written writes a new file next to another.
sub written {
	my ($file, $text, $mode) = @_;
	my $new = $file =~ s{([^/]*)\z}{sprintf '.%s.%08x%08x', $1, rand 2**32, rand 2**32}er;
	my $out = opened($new, 0301, $mode);    # O_WRONLY, O_CREAT, O_EXCL
	return $new if put($out, $new, $text);
	eval { refused(1, $new) };
	unlink $new;
	die $@;
}

# linked puts a new file where there is none, as swap does.
sub linked {
	my ($new, $file, $now) = @_;
	return if defined $now;
	if (link $new, $file) {
		unlink $new;
		return '';
	}
	return if $! == 17;    # EEXIST
	rename $new, $file or refused(1, $file);
	return '';
}

# renamed puts a new file in the place of one, as swap does, where files cannot be
# exchanged.
sub renamed {
	my ($new, $file, $old, $now, $in) = @_;
	return if $now ne $old;
	rename $new, $file or refused(1, $file);
	quiet($in);
	sysseek $in, 0, 0;
	return slurp($in, $file, $most);
}

# swap puts a new file in the place of one, unless that is another than it was
# read or cannot be swapped any more. It returns what the old one held at the very
# end, and its name where it still has one.
sub swap {
	my ($new, $file, $old) = @_;
	my ($now, $in) = content($file, $most);
	return linked($new, $file, $now) if !defined $old;
	return if !defined $now || index($now, $old) != 0;
	return renamed($new, $file, $old, $now, $in) if !exchange($new, $file);
	return taken($new, $file);
}

# taken returns what a file holds that was exchanged for a new one, and its name.
sub taken {
	my ($name, $file) = @_;
	my ($theirs) = eval { content($name, $most, 1) };
	return ($theirs, $name) if defined $theirs;
	exchange($name, $file);    # not a file any more: leave it to whoever made it
	return;
}
