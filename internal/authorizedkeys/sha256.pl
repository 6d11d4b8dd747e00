# fingerprint returns the SHA256 fingerprint of a key in base64, as ssh-keygen
# prints it. The module for it is not on every server.
sub fingerprint {
	my ($blob) = @_;
	my $sum = pack 'u', sha256(decoded($blob));
	$sum = substr $sum, 1, 43;
	$sum =~ tr{` -_}{AA-Za-z0-9+/};
	return "SHA256:$sum";
}

# fraction returns the first 32 bits of a number's fraction.
sub fraction {
	my ($number) = @_;
	return int(($number - int $number) * 2**32);
}

my @primes = grep { my $n = $_; !grep { $n % $_ == 0 } 2 .. sqrt $n } 2 .. 311;
my @rounds = map { fraction($_**(1 / 3)) } @primes;
my @begin = map { fraction(sqrt $_) } @primes[0 .. 7];

sub turn {
	my ($word, $n) = @_;
	return ($word >> $n | $word << 32 - $n) & 0xffffffff;
}

sub sha256 {
	my ($text) = @_;
	my $padded = $text . "\x80" . "\0" x ((55 - length $text) % 64) . pack 'Q>', 8 * length $text;
	my @sum = @begin;
	for my $block (unpack '(a64)*', $padded) {
		my @w = unpack 'N16', $block;
		for my $i (16 .. 63) {
			my $s0 = turn($w[$i - 15], 7) ^ turn($w[$i - 15], 18) ^ $w[$i - 15] >> 3;
			my $s1 = turn($w[$i - 2], 17) ^ turn($w[$i - 2], 19) ^ $w[$i - 2] >> 10;
			$w[$i] = ($w[$i - 16] + $s0 + $w[$i - 7] + $s1) & 0xffffffff;
		}
		my ($a, $b, $c, $d, $e, $f, $g, $h) = @sum;
		for my $i (0 .. 63) {
			my $s1 = turn($e, 6) ^ turn($e, 11) ^ turn($e, 25);
			my $t1 = $h + $s1 + ($e & $f ^ ~$e & $g) + $rounds[$i] + $w[$i];
			my $s0 = turn($a, 2) ^ turn($a, 13) ^ turn($a, 22);
			my $t2 = $s0 + ($a & $b ^ $a & $c ^ $b & $c);
			($a, $b, $c, $d, $e, $f, $g, $h) = (($t1 + $t2) & 0xffffffff, $a, $b, $c, ($d + $t1) & 0xffffffff, $e, $f, $g);
		}
		my @add = ($a, $b, $c, $d, $e, $f, $g, $h);
		$sum[$_] = ($sum[$_] + $add[$_]) & 0xffffffff for 0 .. 7;
	}
	return pack 'N8', @sum;
}

