# shellcheck shell=bash
# fence.sh KEY EPOCH MARK COMMAND... runs COMMAND under the lock of KEY, unless
# a higher epoch was seen. It says so with MARK and a status of its own.
set -uo pipefail
key=$1 epoch=$2 mark=$3
shift 3
umask 077
dir=/var/lib/forge/fence
if [[ ! -d $dir ]]; then
	mkdir -p "$dir" && chmod 0711 /var/lib/forge || exit 1
fi
exec 9>>"$dir/$key.lock" || exit 1
if ! flock -w 30 9; then
	echo "$mark busy" >&2
	exit 98
fi
seen=0
if [[ -e $dir/$key ]]; then read -r seen <"$dir/$key" || exit 1; fi
[[ $seen =~ ^[0-9]+$ ]] || seen=0
if ((seen > epoch)); then
	echo "$mark fenced" >&2
	exit 97
fi
if ((seen < epoch)); then
	# The epoch is on the disk before anything is done under it.
	printf '%s\n' "$epoch" >"$dir/$key.new" && sync "$dir/$key.new" && mv -T "$dir/$key.new" "$dir/$key" || exit 1
fi
# The lock is this shell's: what the command leaves behind does not hold it.
umask 022
"$@" 9>&-
