# Edits with others in the way. Compiled when they are, after files.pl.

# As a lease sends it to its holder, when another comes to write.
$SIG{IO} = 'IGNORE';

# change makes a user's edits and returns what was done. Others may write the file
# at any moment, in place or by a rename, and lose nothing by it. The edits may have
# come to the exchange of the files already.
sub change {
	my ($user, $lock, @exchanged) = @_;
	local $user->{lock} = $lock;
	my $ok = eval {
		my $made = @exchanged ? swapped($user, @exchanged, eval { taken(@exchanged[1, 0]) }) : attempt($user);
		again($user) if !$made;
		1;
	};
	given_up($user) if !$ok;
	unlink @{$user->{left} // []};
	return @{$user->{done} // []};
}

# attempt makes a user's edits unless another comes between, and reports whether
# they are made.
sub attempt {
	my ($user) = @_;
	my $file = $user->{path};
	$file = target($file) if $user->{home} && -l $file;
	my ($old) = content($file, $most, 1);
	my $text = defined $user->{base} ? merged($user, $old) : $old // '';
	my ($new, @edits) = edited_by_line($text, $user);
	return 1 if $new eq ($old // '');
	if (!$user->{lock}) {
		$user->{lock} = locked($user);
		return attempt($user);
	}
	my $new_file = written($file, $new, $user->{home} ? 0600 : 0644);
	return swapped($user, $file, $new_file, $old, $new, \@edits, eval { swap($new_file, $file, $old) });
}

# swapped ends an attempt, with what the old file held and its name. It reports
# whether the edits are made.
sub swapped {
	my ($user, $file, $new_file, $old, $new, $edits, $theirs, $name) = @_;
	return unswapped($new_file) if !defined $theirs;
	push @{$user->{done}}, @$edits;
	push @{$user->{left}}, $name if defined $name;
	undef $user->{base};
	return $theirs eq ($old // '') || overtaken($user, $file, $old, $new, $theirs);
}

# unswapped takes away a new file that has not come to its place. It reports that
# the edits are not made, or fails with what was wrong.
sub unswapped {
	my ($beside) = @_;
	my $failure = $@;
	unlink $beside;
	die $failure if $failure;
	return 0;
}

# overtaken keeps what others wrote into the file that was taken out, for another
# attempt, and reports that the edits are not made.
sub overtaken {
	my ($user, $file, $old, $new, $theirs) = @_;
	@$user{'base', 'mine'} = ($theirs, $new);
	return 0 if index($theirs, $old) != 0;
	my $line_end = $new eq '' || substr($new, -1) eq "\n" ? '' : "\n";
	append($file, $line_end . substr $theirs, length $old);
	undef $user->{base};    # what came may be a key to remove
	return 0;
}

# merged is what others made of the file that was taken out, and of ours since.
sub merged {
	my ($user, $old) = @_;
	my ($base, $mine) = @$user{'base', 'mine'};
	return defined $old && index($old, $mine) == 0 ? $base . substr $old, length $mine : $base;
}

# append adds to a file as those do who do so without a lock.
sub append {
	my ($file, $text) = @_;
	put(opened($file, 06001, 0), $file, $text) or refused(1, $file);    # O_WRONLY, O_APPEND, O_NONBLOCK
}

# again makes edits anew until nobody comes between.
sub again {
	my ($user) = @_;
	for (2 .. 99) {
		return if attempt($user);
	}
	fail(87, "$user->{path} is being changed all the time");
}

# given_up fails with what ended an edit, and leaves nothing but what others wrote.
sub given_up {
	my ($user) = @_;
	my $failure = $@;
	if (defined $user->{base} && $user->{left}) {
		my ($status, $text) = failure();
		fail($status, "$text; what others wrote meanwhile is in $user->{left}[-1]");
	}
	unlink @{$user->{left} // []};
	rmdir $user->{made} if $user->{made};
	die $failure;
}
