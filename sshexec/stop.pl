# stop.pl TOKEN ends a command: the processes that carry its token in their
# environment, their sessions and their descendants. TERM first, KILL a second
# later. Fails when some are left after all.
use strict;
my $token = "\0FORGE_COMMAND=$ARGV[0]\0";
my (%found, %asked); # asked: not to be sent TERM any more

# content is empty for a process that is gone by now.
sub content {
	open my $file, '<', $_[0] or return '';
	local $/;
	return <$file> // '';
}

sub look {
	my (%parent, %session);
	opendir my $proc, '/proc' or die "open /proc: $!\n";
	for my $p (grep { /^[0-9]+$/ } readdir $proc) {
		content("/proc/$p/stat") =~ /^\d+ \((.*)\) (\S) (\d+) \d+ (\d+)/s or next;
		my $name = $1;
		next if $2 eq 'Z' || $2 eq 'X';
		($parent{$p}, $session{$p}) = ($3, $4);
		# It ends with its child, but after a TERM takes 2 s more.
		$asked{$p} = 1 if $name eq 'runuser';
		$found{$p} = 1 if index("\0" . content("/proc/$p/environ") . "\0", $token) >= 0;
	}
	delete @found{grep { !exists $parent{$_} } keys %found};
	for (my $more = 1; $more;) {
		$more = 0;
		for my $p (grep { !$found{$_} } keys %parent) {
			$found{$p} = $more = 1 if $found{$parent{$p}} || $found{$session{$p}};
		}
	}
}

my ($seen, $since) = (0, 0);
for my $round (0 .. 79) {
	look();
	if (!%found) {
		# It may be about to start: sshd has forked, and no more.
		exit 0 if $seen || $round > 15;
	} elsif ($seen++ >= 20 || $since && time - $since >= 2) { # rounds take longer on a busy server
		kill 'KILL', keys %found;
	} else {
		$since ||= time;
		for my $p (keys %found) {
			kill 'TERM', $p if !$asked{$p};
			$asked{$p} = 1;
		}
	}
	select undef, undef, undef, 0.05;
}
exit 1;
