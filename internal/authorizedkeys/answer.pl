# Answers that are not as usual. Compiled when they are needed.

our ($room, $status);

# failed says what ended the edits of a user's file.
sub failed {
	my ($name) = @_;
	my ($code, $text) = failure();
	print "user $name failed $code $text\n";
	print STDERR "$text\n";
	$status ||= $code;
}

# shortened returns what there was room for of what was done, which was already
# counted.
sub shortened {
	my ($done) = @_;
	$room += length "@$done\n";
	my @told = grep { ($room -= 1 + length) > 0 } @$done;
	return @told < @$done ? [@told, 'omitted ' . (@$done - @told)] : $done;
}
