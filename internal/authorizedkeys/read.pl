# As the argument, or on stdin, a line each: "user NAME home|root", or "all" for each file in root's
# place. Prints "file NAME SIZE" and so many bytes, "none NAME" or "failed NAME
# STATUS TEXT" for each, "more COUNT" for those that are too many, and "end".

my ($most, $room, $files) = (1 << 20, 4 << 20, 256);

my @asked = map { [split] } @ARGV ? split /\n/, $ARGV[0] : <STDIN>;
if (@asked && $asked[0][0] eq 'all') {
	@asked = ();
	if (opendir my $dir, $place) {
		@asked = map { ['user', $_, 'root'] } sort grep { /\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\z/ } readdir $dir;
	} elsif ($! != 2) {    # ENOENT
		print STDERR "$place: $!\n";
		exit 84;
	}
}
my @more = splice @asked, $files if @asked > $files;
for (@asked) {
	my (undef, $name, $where) = @$_;
	my $work = sub { [content($_[0], $most < $room ? $most : $room)] };
	my ($found) = eval { $where eq 'home' ? in_home($name, $work) : in_place($name, $work) };
	if ($@) {
		my ($status, $text) = failure();
		print "failed $name $status $text\n";
	} elsif (!@$found) {
		print "none $name\n";
	} else {
		my $size = length $found->[0];
		$room -= $size;
		print "file $name $size\n$found->[0]\n";
	}
}
print 'more ', scalar @more, "\n" if @more;
print "end\n";
