# start makes the run, unless its claim is there already. The payload, $size
# bytes of tar on stdin, is read in any case.
start() {
	local size=$1 user=$2 dir=$3 grace=$4 # milliseconds between TERM and KILL
	local new why entry home uid gid
	if claimed; then
		head --bytes="$size" >/dev/null
		return
	fi

	# Everything is received and checked before the lock is taken: a client
	# that vanishes here holds up nobody.
	new=$(mkdir -p -- "$runs" && mktemp --directory -- "$runs/.new.XXXXXX") || refuse "cannot create a directory in $runs"
	# shellcheck disable=SC2064 # $new is local
	trap "rm -rf -- '$new'" EXIT
	why=$({ timeout 300 head --bytes="$size" | tar --extract --directory="$new"; } 2>&1) ||
		refuse "cannot store the script: $why"
	[[ -e $new/script ]] || refuse "the connection was lost before the whole script came"
	entry=$(getent passwd "$user") || refuse "the user $user does not exist"
	IFS=: read -r _ _ uid gid _ home _ <<<"$entry"
	[[ -z $dir || -d $dir ]] || refuse "the directory $dir does not exist"
	why=$({
		chgrp -- "$gid" "$new"/{script,launch,files} &&
			{ find "$new/files" -type f -exec chown -- "$uid:$gid" {} +; } &&
			printf '%63s\n' '' >"$new/status.new" && # room for the end, when the disk is full
			: >"$new/log"
	} 2>&1) || refuse "cannot store the script: $why"

	lock
	if ! claimed && { [[ ! -e $run/script ]] || ! alive; }; then
		discard
		why=$({ mv -- "$new"/* "$run/" && launch; } 2>&1)
		if ! claimed; then
			discard
			refuse "cannot start: ${why:-nothing took the run up, is the disk full?}"
		fi
	fi
	unlock
	rm -rf -- "$new"
	trap - EXIT
}

launch() {
	if has_systemd; then
		systemd-run --quiet --no-ask-password --unit="$unit" --description="forge run $id" \
			--property=User="$user" --setenv=HOME="$home" \
			--property=StandardInput=file:"$run/environ" \
			--property=StandardOutput=append:"$run/log" --property=StandardError=inherit \
			--property=ExecCondition="+/bin/sh -c 'mkdir $run/claim 2>/dev/null'" \
			--property=ExecStopPost="+/bin/bash $run/end $run" \
			--property=KillMode=control-group --property=SendSIGKILL=yes \
			--property=TimeoutStopSec="${grace}ms" \
			--property=IgnoreSIGPIPE=no --property=OOMPolicy=continue \
			-- /bin/bash "$run/launch" "$run" "$dir"
	else
		# Its stdout is closed when the claim is there.
		setsid --fork bash "$run/supervise" "$run" "$uid" "$gid" "$home" "$dir" "$grace" 9>&- </dev/null 2>/dev/null
	fi
}
