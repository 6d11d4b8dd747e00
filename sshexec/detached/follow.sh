# follow copies the log to stdout, from byte $1 to byte $2, until the run has
# ended, and reports.
#
# stdin tells whether the client is there: it sends a byte every few seconds,
# and its end is the end of this script. (A connection that was cut is not seen
# by sshd for hours, when nothing is printed.) Waiting and looking need no new
# process, so that a silent run costs the server nothing.
follow() {
	local pos=$1 max=$2 over c ticks=0 heard=0
	look
	if [[ $state == unknown ]]; then
		report
		return
	fi
	if [[ -e $run/log ]]; then exec 3<"$run/log"; else exec 3</dev/null; fi
	if ((pos > 0)); then
		shrunk && return
		dd iflag=skip_bytes skip="$pos" count=0 status=none <&3
	fi
	while :; do
		over=
		{ [[ $state != running ]] || ended; } && over=1
		# One byte shows whether there is more; an empty one is a NUL.
		if ((pos < max)) && IFS= read -r -d '' -n 1 -u 3 c; then
			if [[ -n $c ]]; then printf %s "$c"; else printf '\0'; fi
			dd bs=128K iflag=count_bytes count=$((max - pos - 1)) status=none <&3
			read -r _ pos </proc/$$/fdinfo/3
		fi
		[[ -n $over ]] && break

		IFS= read -r -t 0.02 -N 1 c
		case $? in
		0) heard=$ticks ;; # the client is there
		1) exit 0 ;;       # it has gone
		esac
		((++ticks - heard > 1000)) && exit 0 # it fell silent, for 20 s
		if ((ticks % 250 == 0)); then
			shrunk && return
			look
		fi
	done
	shrunk || report
}

# shrunk reports when the log is shorter than what was read of it. A script can
# truncate its own stdout.
shrunk() {
	local size
	size=$(stat --dereference --format=%s /dev/fd/3 3<&3)
	((size < pos)) || return 1
	say shrunk
	report
}
