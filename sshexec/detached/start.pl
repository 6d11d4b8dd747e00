# start makes a run of what was received, unless it has a claim by now.
sub start {
	my ($user, $dir, $grace) = @_;    # grace: milliseconds between TERM and KILL
	my ($uid, $gid, $home) = (getpwnam $user)[2, 3, 7] or refuse("the user $user does not exist");
	$dir eq '' || -d $dir or refuse("the directory $dir does not exist");
	prepare($uid, $gid) or refuse("cannot store the script: $!");

	hold();
	if (-e "$run/script" && !claimed() && !alive()) {
		discard();    # of a start that was cut short
	}
	if (!claimed() && !-e "$run/script") {
		my $why = take() // launch($user, $uid, $gid, $home, $grace);
		claimed() || unload();    # it may have been asked for, with the answer lost
		if (!claimed()) {
			discard();
			unlink map { "$run/$_" } @left;
			refuse('cannot start: ' . ($why || 'nothing took the run up, is the disk full?'));
		}
		$state = 'running' if -d "$run/claim";    # a look would tell the same
	}
	close $lock;
}

# prepare gives what was received to those who need it.
sub prepare {
	my ($uid, $gid) = @_;
	my @files = map { "$new/files/$_" } entries("$new/files");
	return chmod(0750, "$new/files")
		&& chown(-1, $gid, map { "$new/$_" } qw(script launch files)) == 3
		&& chown($uid, $gid, @files) == @files
		&& store("$new/status.new", sprintf("%63s\n", ''))    # room for the end, when the disk is full
		&& store("$new/log", '');
}

# store writes a new file.
sub store {
	my ($file, $text) = @_;
	open my $out, '>', $file or return 0;
	return print({$out} $text) && close $out;
}

# take moves what was received to its place, the script first: it tells of a start
# that was cut short. It returns what went wrong.
sub take {
	for my $name ('script', grep { $_ ne 'script' } entries($new)) {
		rename "$new/$name", "$run/$name" or return "move $name: $!";
	}
	return;
}

# launch starts the run, and returns what is said of that.
sub launch {
	my ($user, $uid, $gid, $home, $grace) = @_;
	if ($systemd) {
		# World-readable, as systemd complains of others.
		store($unit_file, describe($user, $grace)) && chmod 0644, $unit_file or return "write $unit_file: $!";
		return output('systemctl', '--quiet', '--no-ask-password', 'start', '--', $unit);
	}
	# It closes stdout and stderr when the claim is there. With the environment of
	# this command it would be stopped like this command.
	return output('setsid', '--fork', 'env', '-i', "PATH=$ENV{PATH}",
		'bash', "$run/supervise", $run, $uid, $gid, $home, $grace);
}

# The claim is on the disk before the script starts: after a power loss it would run
# again. The unit has a file of its own, as that of a transient unit does not survive
# the reload that every installed service asks for: systemd 252 writes the
# condition and the end there in a form that it cannot read again.
sub describe {
	my ($user, $grace) = @_;
	return <<~UNIT;
		[Unit]
		Description=forge run $id
		[Service]
		User=$user
		StandardInput=file:$run/environ
		StandardOutput=append:$run/log
		StandardError=inherit
		ExecCondition=+/bin/sh -c 'exec 2>/dev/null; mkdir $run/claim && { sync $run $runs || { rmdir $run/claim; exit 1; }; }'
		ExecStart=/bin/bash $run/launch $run
		ExecStopPost=+/usr/bin/env LC_ALL=C /usr/bin/perl $run/end $run $unit_file
		KillMode=control-group
		SendSIGKILL=yes
		TimeoutStopSec=${grace}ms
		IgnoreSIGPIPE=no
		OOMPolicy=continue
		UNIT
}
