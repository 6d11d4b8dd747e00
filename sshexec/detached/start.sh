# start makes a run of what was received in the directory $new, unless it has a
# claim by now.
start() {
	local new=$1 user=$2 dir=$3 grace=$4 # milliseconds between TERM and KILL
	local entry home uid gid why
	entry=$(getent passwd "$user") || refuse "the user $user does not exist"
	IFS=: read -r _ _ uid gid _ home _ <<<"$entry"
	[[ -z $dir || -d $dir ]] || refuse "the directory $dir does not exist"
	why=$(prepare 2>&1) || refuse "cannot store the script: $why"

	lock
	if [[ -e $run/script ]] && ! claimed && ! alive; then
		discard # of a start that was cut short
	fi
	if ! claimed && [[ ! -e $run/script ]]; then
		why=$({ mv -- "$new"/* "$run/" && launch; } 2>&1)
		claimed || unload # it may have been asked for, with the answer lost
		if ! claimed; then
			discard
			rm -f -- "$run/log"
			refuse "cannot start: ${why:-nothing took the run up, is the disk full?}"
		fi
	fi
}

prepare() {
	shopt -s nullglob dotglob
	local files=("$new"/files/*)
	chgrp -- "$gid" "$new"/{script,launch,files} &&
		{ ((${#files[@]} == 0)) || chown -- "$uid:$gid" "${files[@]}"; } &&
		printf '%63s\n' '' >"$new/status.new" && # room for the end, when the disk is full
		: >"$new/log"
}

# The unit has a file of its own, as that of a transient unit does not survive
# the reload that every installed service asks for: systemd 252 writes the
# condition and the end there in a form that it cannot read again.
describe() {
	cat <<-UNIT
		[Unit]
		Description=forge run $id
		[Service]
		User=$user
		StandardInput=file:$run/environ
		StandardOutput=append:$run/log
		StandardError=inherit
		ExecCondition=+/bin/sh -c 'mkdir $run/claim 2>/dev/null'
		ExecStart=/bin/bash $run/launch $run
		ExecStopPost=+/bin/bash $run/end $run $unit_file
		KillMode=control-group
		SendSIGKILL=yes
		TimeoutStopSec=${grace}ms
		IgnoreSIGPIPE=no
		OOMPolicy=continue
	UNIT
}

launch() {
	if has_systemd; then
		# World-readable, as systemd complains of others.
		(umask 022 && describe >"$unit_file") && systemctl --quiet --no-ask-password start -- "$unit"
	else
		# It closes stdout when the claim is there. With the environment of
		# this command it would be stopped like this command.
		setsid --fork env -i PATH="$PATH" \
			bash "$run/supervise" "$run" "$uid" "$gid" "$home" "$grace" 9>&- </dev/null 2>/dev/null
	fi
}
