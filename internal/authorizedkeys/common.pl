# What each script on key files begins with. It is perl without a module, as
# loading one costs more than the work. Numbers stand for the system's names, and
# are the same on amd64 and arm64.

our $place = '/etc/ssh/authorized_keys.d';

# AUTOLOAD is called in place of a function that is not there yet. To compile all
# costs more than the ordinary work, so that what is seldom needed is in a text, and
# compiled when a function of it is called. It sees no "my" of other files.
sub AUTOLOAD {
	our ($seldom, $AUTOLOAD);
	my @was = ($! + 0, $@);
	eval "$seldom; 1" or die $@;
	($seldom, $!, $@) = ('die "there is no such function"', @was);
	goto &$AUTOLOAD;
}

umask 0;
