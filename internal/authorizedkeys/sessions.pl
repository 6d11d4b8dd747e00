# Ends the live SSH sessions of the user $ARGV[0] that were opened with one of the
# keys whose fingerprints follow. Prints "ended COUNT".

my ($user, %keys) = (shift @ARGV, map { $_ => 1 } @ARGV);

sub text {
	my ($file) = @_;
	open my $in, '<', $file or return '';
	local $/;
	return readline($in) // '';
}

# processes has parent, session, start in ticks since boot, whether root's, name and
# title of all that live, by pid.
sub processes {
	my %all;
	opendir my $proc, '/proc' or refused(1, '/proc');
	for my $pid (grep { /^[0-9]+$/ } readdir $proc) {
		my $owner = (stat "/proc/$pid")[4] // next;
		my ($name, $rest) = text("/proc/$pid/stat") =~ /^[0-9]+ \((.*)\) (.*)/s or next;
		my @fields = split ' ', $rest;
		next if $fields[0] eq 'Z';
		my ($title) = text("/proc/$pid/cmdline") =~ /^([^\0]*)/;
		$all{$pid} = {parent => $fields[1], session => $fields[3], start => $fields[19], root => $owner == 0, name => $name, title => $title};
	}
	return \%all;
}

# begun returns the processes of sshd that keep the user's sessions, or are about to
# begin one. They are root's: what the user runs under such a name is none.
sub begun {
	my ($all) = @_;
	my %own;
	for (my $pid = $$; $pid && $all->{$pid}; $pid = $all->{$pid}{parent}) {
		$own{$pid} = 1;
	}
	return grep {
		my $p = $all->{$_};
		!$own{$_} && $p->{root} && $p->{name} =~ /^sshd(?:-session)?$/ && $p->{title} =~ /^sshd(?:-session)?: \Q$user\E(?: \[priv\]|@)/;
	} keys %$all;
}

# is_open reports whether a session is past its login.
sub is_open {
	my ($all, $pid) = @_;
	return 1 if $all->{$pid}{title} !~ /\[priv\]/;
	return grep { $_->{parent} == $pid && $_->{title} =~ /^sshd(?:-session)?: \Q$user\E@/ } values %$all;
}

# accepted reads what sshd logs of a login, maybe in several steps.
my $accepted = qr/sshd(?:-session)?\[([0-9]+)\]: (Accepted|Partial) \S+ for \Q$user\E from \S+ port [0-9]+ ssh2(?:: \S+ (SHA256:\S+))?/;

# from_journal returns the fingerprints with which each session was opened, by pid.
# The journal knows by itself which process wrote a line.
sub from_journal {
	my ($all, @pids) = @_;
	my %logins;
	my $command = join ' ', 'journalctl --sync; exec journalctl -b -q --no-pager -o short-monotonic _UID=0', map { "_PID=$_" } @pids;
	open my $log, '-|', 'sh', '-c', "exec 2>/dev/null; $command" or return {};
	while (<$log>) {
		my ($second, $pid, $what, $key) = /^\[ *([0-9.]+)\] \S+ $accepted/ or next;
		next if !$all->{$pid} || $second * 100 < $all->{$pid}{start};    # an earlier process of that number
		push @{$logins{$pid}{keys}}, $key if $key;
		$logins{$pid}{told} = 1 if $what eq 'Accepted';
	}
	return \%logins;
}

# from_files does so where there is no journal. Others may write to these files as
# well, so that a second key for a process says nothing.
sub from_files {
	my ($all, @pids) = @_;
	my %wanted = map { $_ => 1 } @pids;
	my ($boot) = text('/proc/stat') =~ /^btime ([0-9]+)/m;
	my (%logins, %lines);
	for my $file ('/var/log/auth.log.1', '/var/log/auth.log', '/var/log/secure') {
		open my $log, '<', $file or next;
		my $most = 64 << 20;
		seek $log, -$most, 2 if -s $log > $most;
		while (<$log>) {
			my ($time, $pid, $what, $key) = /^(\w+ +[0-9]+ [0-9:]{8}|[0-9T:.+-]+Z?) \S+ $accepted/ or next;
			push @{$lines{$pid}}, [$time, $what, $key] if $wanted{$pid};
		}
	}
	for my $pid (keys %lines) {
		my %keys;
		for (@{$lines{$pid}}) {
			my ($time, $what, $key) = @$_;
			open my $date, '-|', 'date', '-d', $time, '+%s' or next;
			my $at = readline($date) // next;
			next if $at < $boot + $all->{$pid}{start} / 100 - 2 || $at > time + 2;
			$keys{$key} = 1 if $key;
			$logins{$pid}{told} = 1 if $what eq 'Accepted';
		}
		$logins{$pid}{keys} = [keys %keys];
		$logins{$pid}{told} = 0 if keys %keys > 1;
	}
	return \%logins;
}

# scope is the scope that logind made for a session alone, where there is logind.
sub scope {
	my ($pid) = @_;
	my ($id) = text("/proc/$pid/cgroup") =~ m{^(?:0:|[0-9]+:name=systemd):\S*/session-([A-Za-z0-9]+)\.scope$}m or return;
	open my $loginctl, '-|', 'loginctl', 'show-session', $id, '--property=Leader', '--value' or return;
	return (readline($loginctl) // '') eq "$pid\n" ? $id : undef;
}

# members returns those of a session that live: all in its scope, or else those that
# descend from its process or are in a terminal session of one that does.
sub members {
	my ($session) = @_;
	my $all = processes();
	if ($session->{scope}) {
		return grep { text("/proc/$_/cgroup") =~ m{/session-$session->{scope}\.scope(?:/|$)}m } keys %$all;
	}
	my $tree = $session->{tree};
	my $inside = sub { $all->{$_[0]} && $tree->{$_[0]} && $tree->{$_[0]} == $all->{$_[0]}{start} };
	my $more = 1;
	while ($more) {
		my @new = grep {
			my $p = $all->{$_};
			my $leader = $p->{session};
			!$inside->($_) && ($inside->($p->{parent}) || $inside->($leader) && $all->{$leader}{name} !~ /^sshd/);
		} keys %$all;
		$tree->{$_} = $all->{$_}{start} for @new;
		$more = @new;
	}
	return grep { $inside->($_) } keys %$all;
}

# end ends sessions with all that is in them, by force after two seconds.
sub end {
	my @sessions = @_;
	for my $try (1 .. 100) {
		my $left = 0;
		for my $session (@sessions) {
			my @members = members($session);
			$left += @members;
			if ($try == 1 && $session->{scope}) {
				system 'loginctl', 'terminate-session', $session->{scope};
			} elsif ($try == 1 || $try > 40) {
				kill $try == 1 ? 'TERM' : 'KILL', @members;
			}
		}
		return if !$left;
		select undef, undef, undef, 0.05;
	}
	print STDERR "a session of $user could not be ended\n";
	exit 1;
}

my $all = processes();
my @pids = begun($all);
my %logins = @pids ? %{from_journal($all, @pids)} : ();
my @untold = grep { !$logins{$_}{told} } @pids;
%logins = (%logins, %{from_files($all, @untold)}) if @untold;

my @sessions;
for my $pid (@pids) {
	next if !$logins{$pid}{told} || !grep { $keys{$_} } @{$logins{$pid}{keys} // []};
	my $scope = scope($pid);
	push @sessions, {scope => $scope, tree => {$pid => $all->{$pid}{start}}};
}
end(@sessions) if @sessions;
print 'ended ', scalar @sessions, "\n";

@untold = grep { !$logins{$_}{told} && is_open($all, $_) } @pids;
if (@untold) {
	print STDERR scalar @untold, " sessions of $user may have been opened with the key\n";
	exit 89;
}
