# perl -e "this" LINE adds a line to root's authorized_keys as it has to be done at
# the least: under a lock, if it is not there, in a new file that is on the disk
# before it takes the place of the old one.
my ($line, $file) = ("$ARGV[0]\n", '/root/.ssh/authorized_keys');
open my $lock, '>', "$file.lock" or die "open the lock: $!";
flock $lock, 2 or die "lock: $!";
open my $old, '<', $file or die "open: $!";
my $text = join '', <$old>;
exit if index("\n$text", "\n$line") >= 0;
$text .= "\n" if $text !~ /\n\z/;
sysopen my $new, "$file.new", 04011101, 0600 or die "create: $!"; # O_SYNC, O_TRUNC, O_CREAT, O_WRONLY
syswrite($new, $text . $line) == length $text . $line or die "write: $!";
rename "$file.new", $file or die "rename: $!";
