# Runs the command @ARGV and ends with its status; 128 + N when signal N ended
# it, 127 when it does not exist and 126 when it cannot be run, as a shell does.
# The lock ends with this process, which is not to end before the command.
my @deaf = ('HUP', 'INT', 'TERM');
my @was = map { $_ || 'DEFAULT' } @SIG{@deaf};
@SIG{@deaf} = ('IGNORE') x @deaf;
my $pid = fork;
if (!defined $pid) { print STDERR "fork: $!\n"; exit 1 }
if (!$pid) {
	my $ENOENT = 2;
	@SIG{@deaf} = @was;
	exec { $ARGV[0] } @ARGV;
	my $status = $! == $ENOENT ? 127 : 126;
	print STDERR "$ARGV[0]: $!\n";
	exit $status;
}
if (waitpid($pid, 0) != $pid) { print STDERR "wait for $ARGV[0]: $!\n"; exit 1 }
exit($? & 127 ? 128 + ($? & 127) : $? >> 8);
