# Edits of lines that are not as forge writes them: with options, blanks or names of
# others. Compiled when there are such.

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
	my ($user, $known, $blob, $comment) = @_;
	return $known->{$blob} ne 'remove' if $known->{$blob};
	return 1 if !$user->{all};
	return $comment =~ /(?:^|[ \t])forge:unmanaged(?:[ \t]|$)/;
}

# edited_by_line returns a text with a user's edits, and what they are.
sub edited_by_line {
	my ($text, $user) = @_;
	my (%present, @done);
	my %known = map { my $what = $_; map { $_->[1] => $what } @{$user->{$what}} } 'keep', 'add', 'remove';
	# Only what can be one of the keys is looked at; sshd skips \r, \f and \v in one.
	my @ours = grep { $known{$_} ne 'keep' } keys %known;
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
		} elsif (stays($user, \%known, $blob, $comment)) {
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

