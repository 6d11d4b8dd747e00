# What every script on a detached run begins with. $1 is the id of the run.
#
# stdout belongs to the log of the run. What is said to the client goes to
# stderr, where nothing that the run prints can come, in lines that begin with
# "forge-run: ".
set +e # errors are dealt with one by one
export LC_ALL=C
umask 066 # directories that can be passed but not listed, files for root alone

id=$1
runs=/var/lib/forge/runs
run=$runs/$id
unit=forge-run-$id.service
unit_file=/run/systemd/system/$unit

say() {
	printf 'forge-run: %s\n' "$*" >&2
}

refuse() {
	say refused "${*//$'\n'/; }"
	exit 1
}

has_systemd() {
	[[ -d /run/systemd/system ]]
}

# claimed: the run has started, or is barred from it.
claimed() {
	[[ -e $run/claim || -L $run/claim ]]
}

# alive: something keeps the run. While systemd cannot be asked, as when it
# re-executes itself, the answer is yes.
alive() {
	if has_systemd; then
		case $(systemctl show --property=ActiveState,Job -- "$unit" 2>/dev/null) in
		*Job=[1-9]*) ;; # it waits to be started
		*=inactive* | *=failed*) return 1 ;;
		esac
		return 0
	fi
	[[ -e $run/supervisor ]] && ! flock --nonblock --shared -- "$run/supervisor" true
}

# lock keeps starts and stops of one run apart. It is the directory itself, on
# descriptor 9.
lock() {
	local why
	why=$(mkdir -p -- "$run" 2>&1) || refuse "cannot store the run: $why"
	exec 9<"$run"
	flock --timeout 60 9 || refuse "another start or stop of the run takes too long"
}

unlock() {
	exec 9<&-
}

# discard removes everything that a run needs only to start.
discard() {
	rm -rf -- "$run"/{script,launch,supervise,end,environ,files,status.new} "$unit_file"
}

# look sets state: unknown, running, barred, interrupted, or what the status
# file says, as "exited 0 success", "killed TERM signal", "dumped SEGV core-dump".
look() {
	if ended; then
		return
	elif [[ -L $run/claim ]]; then
		state=barred
	elif alive; then
		state=running
	elif ended; then # the status is written before its keeper goes
		return
	elif claimed; then
		state=interrupted
		discard
	else
		state=unknown
	fi
}

ended() {
	[[ -e $run/status ]] && read -r state <"$run/status"
}

# report says the state and the size of the log. It comes last.
report() {
	local size=0
	[[ -e $run/log ]] && size=$(stat --format=%s -- "$run/log")
	say state "$size" "$state"
	case $state in
	unknown | running | barred | *' success') ;;
	*) unload ;;
	esac
}

# unload makes systemd forget a unit that failed: all there is to know is in the
# status file. The stop waits for a unit that is about to end.
unload() {
	if has_systemd; then
		systemctl --quiet stop -- "$unit" 2>/dev/null
		systemctl --quiet reset-failed -- "$unit" 2>/dev/null
	fi
	return 0
}
