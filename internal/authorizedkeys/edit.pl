# As the argument, or on stdin, a line each:
#
#   user NAME home|root all|known   the edits below are of this user; all: also
#                                   remove what is neither wanted nor kept
#   remove KIND BLOB
#   add KIND BLOB MARK
#   keep KIND BLOB
#
# An edit that meets nothing unusual is made by swift; change makes all others.

our $room = 512 << 10;    # bytes of the answer
our $status = 0;

my @users;
for (@ARGV ? split /\n/, $ARGV[0] : <STDIN>) {
	my ($what, @words) = split;
	if ($what eq 'user') {
		push @users, {name => $words[0], home => $words[1] eq 'home', all => $words[2] eq 'all'};
	} else {
		push @{$users[-1]{$what}}, \@words;
	}
}

# One user's trouble does not hold up the others.
for my $user (@users) {
	my $name = $user->{name};
	my $work = sub { $user->{path} = $_[0]; swift($user) || [change($user)] };
	my ($done) = eval {
		fail(81, "there is no user $name") if !defined getpwnam $name;
		$user->{home} ? in_home($name, $work) : in_place($name, $work);
	};
	if (!$done) {
		failed($name);
		next;
	}
	$room -= length "@$done\n";
	$done = shortened($done) if $room < 0;
	print map { "$_\n" } "user $name done", @$done;
}
print "end\n";
exit $status;
