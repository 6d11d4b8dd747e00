# As the argument, or on stdin, a line each:
#
#   user NAME home|root all|known   the edits below are of this user; all: also
#                                   remove what is neither wanted nor kept
#   remove KIND BLOB
#   add KIND BLOB MARK
#   keep KIND BLOB

my $most = 16 << 20;    # bytes of a file
my $sync = 04010000;    # O_SYNC

# key_of returns kind, blob and comment of a line that sshd takes for a key, as
# parseLine does in Go. A key stands behind options at most.
sub key_of {
	my ($line) = @_;
	$line =~ s/\r?\n?\z//;
	$line =~ s/\0.*//s;
	$line =~ s/^[ \t]+//;
	return if $line =~ /^#/;
	my @key = key_at($line);
	return @key ? @key : key_at(past_options($line));
}

# past_options returns what is behind the options at the beginning of a text, whose
# quotes may hold blanks.
sub past_options {
	my ($text) = @_;
	my $quoted = 0;
	while ($text =~ /(\\"|"|[ \t]+)/g) {
		next if $1 eq '\\"';
		return substr $text, pos $text if $1 ne '"' && !$quoted;
		$quoted = !$quoted if $1 eq '"';
	}
	return '';
}

sub key_at {
	my ($kind, $blob, $comment) = $_[0] =~ /^([a-z0-9@.-]+)[ \t]+([^ \t]+)(.*)/s or return;
	return if $kind !~ /^(?:webauthn-)?(?:sk-)?(?:(ssh|ecdsa-sha2)|rsa-sha2)-[a-z0-9@.-]{1,100}\z/;
	my $begin = pack 'N/a*', $1 ? $kind : 'ssh-rsa';    # else a name of its signatures
	$blob =~ tr/\r\f\x0b//d;                            # sshd skips them
	return if $blob !~ m{^AAAA[A-Za-z0-9+/]*(?:[AQgw]==|[AEIMQUYcgkosw048]=|[A-Za-z0-9+/])\z};
	return if length($blob) % 4 != 0 || length $blob > 16384;
	my $inside = decoded(substr $blob, 0, 160);
	return length $inside > length $begin && index($inside, $begin) == 0 ? ($kind, $blob, $comment) : ();
}

# decoded returns what a text in base64 stands for.
sub decoded {
	my ($text) = @_;
	$text =~ tr{A-Za-z0-9+/=}{ -_}d;
	return join '', map { unpack 'u', chr(32 + (length($_) * 3 >> 2)) . $_ } $text =~ /.{1,60}/sg;
}

# stays reports whether a key is none of those to remove.
sub stays {
	my ($user, $blob, $comment) = @_;
	return 0 if $user->{remove}{$blob};
	return 1 if !$user->{all} || $user->{wanted}{$blob} || $user->{keep}{$blob};
	return $comment =~ /(?:^|[ \t])forge:unmanaged(?:[ \t]|$)/;
}

# edited returns a text with a user's edits, and what they are.
sub edited {
	my ($text, $user) = @_;
	my (%present, @done);
	# Only what can be one of the keys is looked at; sshd skips \r, \f and \v in one.
	my @ours = (keys %{$user->{wanted}}, keys %{$user->{remove}});
	return $text if !@ours && !$user->{all};
	my $every = $user->{all} || $text =~ tr/\f\x0b// || $text =~ /\r[^\n]/;
	my $counts = sub {
		my $part = \$_[0];
		return $every || grep { index($$part, $_) >= 0 } @ours;
	};
	my $new = '';
	for my $line ($counts->($text) ? split /(?<=\n)/, $text : $text) {
		if (!$counts->($line)) {
			$new .= $line;
			next;
		}
		my ($kind, $blob, $comment) = key_of($line);
		if (!defined $blob) {
			$new .= $line;
		} elsif (stays($user, $blob, $comment)) {
			$present{$blob} = 1;
			$new .= $line;
		} else {
			my ($mark) = $comment =~ /(?:^|[ \t])(forge:[a-z0-9][a-z0-9-]{0,63})(?:[ \t]|$)/;
			push @done, "removed $kind $blob " . ($mark // '-');
		}
	}
	for (@{$user->{add}}) {
		my ($kind, $blob, $mark) = @$_;
		next if $present{$blob}++;
		$new .= "\n" if $new ne '' && substr($new, -1) ne "\n";
		$new .= "$kind $blob $mark\n";
		push @done, "added $kind $blob $mark";
	}
	return ($new, @done);
}

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

# lock gives one edit at a time the file, for as long as its result lives. In a
# home it is the directory that is locked, as anything else would be left there.
sub lock {
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

# beside writes a new file next to another.
sub beside {
	my ($file, $text, $mode) = @_;
	my $new = $file =~ s{([^/]*)\z}{sprintf '.%s.%08x%08x', $1, rand 2**32, rand 2**32}er;
	my $out = opened($new, 0301, $mode);    # O_WRONLY, O_CREAT, O_EXCL
	return $new if put($out, $new, $text);
	eval { refused(1, $new) };
	unlink $new;
	die $@;
}

# exchange swaps two files in one step, by renameat2 with RENAME_EXCHANGE. What
# stood there is then in hand, whoever put it there last. It reports whether this
# kernel and file system can.
sub exchange {
	my ($new, $file) = @_;
	open my $self, '<', '/proc/self/exe' or return;
	read $self, my $head, 20;
	my $number = {62 => 316, 183 => 276}->{unpack 'x18 v', $head} or return;    # by the ELF machine
	return syscall($number, -100, $new, -100, $file, 2) == 0;
}

# swap puts a new file in the place of one, unless that is another than it was
# read or cannot be swapped any more. It returns what the old one held at the very
# end, and its name where it still has one.
sub swap {
	my ($new, $file, $old) = @_;
	my ($now, $in) = content($file, $most);
	if (!defined $old) {
		return if defined $now;
		if (link $new, $file) {
			unlink $new;
			return '';
		}
		return if $! == 17;    # EEXIST
		rename $new, $file or refused(1, $file);
		return '';
	}
	return if !defined $now || index($now, $old) != 0;
	if (exchange($new, $file)) {
		if (!eval { (undef, $in) = content($new, $most) }) {
			exchange($new, $file);    # not a file any more: leave it to whoever made it
			return;
		}
	} else {
		return if $now ne $old;
		rename $new, $file or refused(1, $file);
		undef $new;
	}
	quiet($in);
	sysseek $in, 0, 0;
	return (slurp($in, $file, $most), $new);
}

# append adds to a file as those do who do so without a lock.
sub append {
	my ($file, $text) = @_;
	put(opened($file, 06001, 0), $file, $text) or refused(1, $file);    # O_WRONLY, O_APPEND, O_NONBLOCK
}

# change makes a user's edits and returns what was done. Others may write the file
# at any moment, in place or by a rename, and lose nothing by it.
sub change {
	my ($user) = @_;
	my ($lock, $file, $base, $mine, @done, @left);
	my $ok = eval {
		for my $attempt (1 .. 100) {
			fail(87, "$user->{path} is being changed all the time") if $attempt == 100;
			$file = $user->{home} ? target($user->{path}) : $user->{path};
			my ($old) = content($file, $most, 1);
			my $text = $old // '';
			if (defined $base) {
				# What others made of the file that we took out, and of ours since.
				$text = $base;
				$text .= substr $old, length $mine if defined $old && index($old, $mine) == 0;
			}
			my ($new, @edits) = edited($text, $user);
			last if $new eq ($old // '');
			if (!$lock) {
				$lock = lock($user);
				redo;
			}
			my $beside = beside($file, $new, $user->{home} ? 0600 : 0644);
			my ($theirs, $name) = eval { swap($beside, $file, $old) };
			if (!defined $theirs) {
				my $failure = $@;
				unlink $beside;
				die $failure if $failure;
				next;
			}
			push @done, @edits;
			push @left, $name if defined $name;
			undef $base;
			last if $theirs eq ($old // '');
			($base, $mine) = ($theirs, $new);
			next if index($theirs, $old) != 0;
			my $line_end = $new eq '' || substr($new, -1) eq "\n" ? '' : "\n";
			append($file, $line_end . substr $theirs, length $old);
			undef $base;    # what came may be a key to remove
		}
		1;
	};
	my $failure = $@;
	if (!$ok && @left && defined $base) {
		my ($status, $text) = failure();
		fail($status, "$text; what others wrote meanwhile is in $left[-1]");
	}
	unlink @left;
	return @done if $ok;
	rmdir $user->{made} if $user->{made};
	die $failure;
}

my (@users, $status);
my $room = 512 << 10;    # bytes of the answer
for (@ARGV ? split /\n/, $ARGV[0] : <STDIN>) {
	my ($what, @words) = split;
	if ($what eq 'user') {
		my ($name, $where, $which) = @words;
		push @users, {name => $name, home => $where eq 'home', all => $which eq 'all', add => []};
	} elsif ($what eq 'add') {
		push @{$users[-1]{add}}, \@words;
		$users[-1]{wanted}{$words[1]} = 1;
	} elsif ($what eq 'remove') {
		$users[-1]{remove}{$words[1]} = 1;
	} else {
		$users[-1]{keep}{$words[1]} = 1;
	}
}

# One user's trouble does not hold up the others.
for my $user (@users) {
	my $name = $user->{name};
	my $work = sub { $user->{path} = $_[0]; change($user) };
	my @done = eval {
		fail(81, "there is no user $name") if !defined getpwnam $name;
		$user->{home} ? in_home($name, $work) : in_place($name, $work);
	};
	if ($@) {
		my ($code, $text) = failure();
		print "user $name failed $code $text\n";
		print STDERR "$text\n";
		$status ||= $code;
		next;
	}
	print "user $name done\n";
	my @told = grep { ($room -= length) > 0 } @done;
	print map { "$_\n" } @told;
	print 'omitted ', @done - @told, "\n" if @told < @done;
}
print "end\n";
exit($status // 0);
