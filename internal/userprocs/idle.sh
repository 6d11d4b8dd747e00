# processes prints the ids of the processes of uid that run, and "container" for
# those whose user only has the same number in one.
processes() {
	{ cat /proc/[0-9]*/status 2>/dev/null || true; } | awk -v uid="$uid" '
		/^State:/ { zombie = $2 == "Z" }
		/^Pid:/ { pid = $2 }
		/^Uid:/ { belongs = $2 == uid || $3 == uid || $4 == uid }
		/^NSpid:/ && belongs && !zombie { print NF == 2 ? pid : "container" }'
}

# idle ends the processes of uid and reports whether there were none.
idle() {
	local all own
	all=$(processes)
	own=${all//container/}
	[[ ${own//$'\n'/} ]] || return 0
	if [[ $own == "$all" ]]; then
		# One signal to all of them at once: nothing can fork away from it.
		setpriv --reuid="$uid" --clear-groups bash -c 'kill -KILL -1' 2>/dev/null || true
	else
		xargs -r kill -KILL <<<"$own" 2>/dev/null || true
	fi
	return 1
}
