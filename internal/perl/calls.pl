# The calls of the system that perl has no names for, on amd64 and on arm64, told by
# the machine in the ELF head of perl: 62 and 183, with the low byte first.
my $head = '';
if (sysopen my $self, '/proc/self/exe', 0) {
	sysread $self, $head, 20;
}
our ($renameat2, $sigprocmask, $signalfd) =
	@{{0x3e00 => [316, 14, 289], 0xb700 => [276, 135, 74]}->{vec $head, 9, 16} // []};
