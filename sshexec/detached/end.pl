# The last process of a run, as root, when the others are gone: end RUN UNITFILE.
# EXIT_CODE and EXIT_STATUS are the outcome; they are missing where the condition
# stopped the start, as then the run is another's. SERVICE_RESULT only tells
# whether systemd keeps the unit as failed.
open STDOUT, '>', '/dev/null';
open STDERR, '>&', STDOUT;
$SIG{TERM} = sub { };    # a disk that takes longer than systemd waits must not cost the status
my ($run, $unit_file) = @ARGV;
my ($code, $status, $result) = @ENV{'EXIT_CODE', 'EXIT_STATUS', 'SERVICE_RESULT'};
$code && chdir $run or exit 0;

# What fails while the machine goes down was ended by that: no status, as after a
# power loss, says interrupted.
my $cut = "$code $status" ne 'exited 0' && `systemctl is-system-running` eq "stopping\n";

# The status is on the disk before its name is: whoever looks gives it that where the
# name was lost.
my $written = !$cut && do {
	my ($WRONLY_CREAT, $SYNC) = (0101, 04010000);
	my $text = sprintf "%-63s\n", "$code $status $result";
	my $out;
	my $synced = sysopen $out, 'status.new', $WRONLY_CREAT | $SYNC, 0600;
	# Some containers are kept from O_SYNC, but not from sync(1).
	$synced or sysopen $out, 'status.new', $WRONLY_CREAT, 0600;
	# In place: the disk may be full.
	(syswrite($out, $text) // 0) == length $text && ($synced || system('sync', 'status.new') == 0);
};
unlink qw(script launch supervise end environ), $unit_file // ();
if (opendir my $files, 'files') {
	unlink map { "files/$_" } readdir $files;
	rmdir 'files';
}
if ($cut) {
	unlink 'status.new';
} else {
	$written && rename 'status.new', 'status' or exit 1;    # systemd remembers what failed
}
