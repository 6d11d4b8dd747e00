# perl -e "fence.pl + what follows" -- KEY EPOCH MARK ARG... runs what follows
# under the lock of KEY, unless a higher epoch was seen. It says so with MARK
# and a status of its own. Being a BEGIN block, it is done before what follows
# is even compiled. It uses no module: they cost more than perl itself.
BEGIN {
	my ($key, $epoch, $mark) = splice @ARGV, 0, 3;
	my $fail = sub { print STDERR "fence $key: $_[0]\n"; exit 1 };
	my $forge = '/var/lib/forge';
	my $file = "$forge/fence/$key";
	my ($ENOENT, $EAGAIN, $EEXIST, $EINVAL) = (2, 11, 17, 22);
	my ($LOCK_EX, $LOCK_NB) = (2, 4);
	umask 077;
	if (!-d "$forge/fence") {
		for my $dir ($forge, "$forge/fence") {
			mkdir $dir or $! == $EEXIST or $fail->("make $dir: $!");
		}
		chmod 0711, $forge or $fail->("chmod $forge: $!");
	}
	# No command inherits it: perl closes all but the standard ones on exec.
	open Forge::Lock, '>>', "$file.lock" or $fail->("open $file.lock: $!");
	my $held = flock Forge::Lock, $LOCK_EX | $LOCK_NB;
	# As source, as the mere mention of %SIG asks for the state of every signal.
	$held = eval q{
		local $SIG{ALRM} = sub { die "busy\n" };
		alarm 30;
		my $ok = flock Forge::Lock, $LOCK_EX;
		alarm 0;
		$ok;
	} if !$held && $! == $EAGAIN;
	if ($@ eq "busy\n") { print STDERR "$mark busy\n"; exit 98 }
	$held or $fail->("lock $file.lock: $!");

	my $seen = 0;
	if (open my $old, '<', $file) {
		(<$old> // '') =~ /^([0-9]+)\n/ or $fail->("$file holds no epoch: write the last one into it");
		$seen = $1;
	} elsif ($! != $ENOENT) {
		$fail->("open $file: $!");
	}
	if ($seen > $epoch) { print STDERR "$mark fenced\n"; exit 97 }
	if ($seen < $epoch) {
		# The epoch is on the disk before anything is done under it.
		unlink "$file.new" or $! == $ENOENT or $fail->("remove $file.new: $!");
		# These are the numbers of amd64 and of arm64.
		my ($O_WRONLY, $O_CREAT, $O_EXCL, $O_SYNC) = (01, 0100, 0200, 04010000);
		my $create = $O_WRONLY | $O_CREAT | $O_EXCL;
		my $synced = sysopen my $new, "$file.new", $create | $O_SYNC, 0600;
		# Some containers are kept from O_SYNC, but not from sync(1).
		$synced or $! == $EINVAL && sysopen $new, "$file.new", $create, 0600 or $fail->("create $file.new: $!");
		my $n = syswrite $new, "$epoch\n";
		defined $n or $fail->("write $file.new: $!");
		$n == length "$epoch\n" or $fail->("write $file.new: only $n bytes were taken");
		$synced or system('sync', "$file.new") == 0 or $fail->("sync $file.new: status $?");
		close $new or $fail->("close $file.new: $!");
		rename "$file.new", $file or $fail->("rename $file.new: $!");
	}
	umask 022;
	delete $ENV{PERL_SKIP_LOCALE_INIT}; # it was for this process alone
}
