# attach starts the run where it has no claim yet, and follows it. stdin begins
# with the payload, $3 bytes of tar; $9 is the source of the start, and
# ${10} that of the fence.
attach() {
	local from=$1 max=$2 size=$3 user=$4 dir=$5 grace=$6 key=$7 epoch=$8 new
	if claimed; then
		head --bytes="$size" >/dev/null
	else
		receive "$size"
		local begin=(bash -uo pipefail -c "$9" forge "$id" "$new" "$user" "$dir" "$grace")
		[[ -n $key ]] && begin=(perl -e "${10}" -- "$key" "$epoch" forge-run: "${begin[@]}")
		"${begin[@]}" </dev/null >&2 || exit # it has said why
		rm -rf -- "$new"
		trap - EXIT
	fi
	follow "$from" "$max"
}

# receive stores the payload in a new directory. All of it is here before
# anything is locked: a client that vanishes on the way holds up nobody.
receive() {
	local why
	[[ -d $runs ]] || mkdir -p -- "$runs"
	new=$(mktemp --directory -- "$runs/.new.$id.XXXXXX" 2>&1) || refuse "cannot store the script: $new"
	# shellcheck disable=SC2064 # $new is local
	trap "rm -rf -- '$new'" EXIT
	why=$({ timeout 300 head --bytes="$1" | tar --extract --directory="$new"; } 2>&1) ||
		refuse "cannot store the script: $why"
	[[ -e $new/script ]] || refuse "the connection was lost before the whole script came"
}
