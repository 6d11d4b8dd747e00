# Keeps a run where there is no systemd: supervise RUN UID GID HOME GRACE.
# It reaches the process group of the script, not those who made their own.
cd -- "$1" && exec 9>>supervisor || exit
until flock -w 0.1 9; do                      # held as long as this lives
	(($? == 1)) && [[ ! -e claim ]] || exit 0 # another supervisor has the run
done
[[ ! -e claim && ! -L claim ]] || exit 0
asked=
trap 'asked=1' TERM # may come as soon as the claim is there
# Without these nobody could stop the run. They have room for what is written when
# the disk is full.
echo $$ >supervisor || exit
for file in pgid signaled; do
	printf '%255s\n' '' >"$file" || exit
done
mkdir claim 2>/dev/null || exit
# It is on the disk before the script starts: after a power loss it would run again.
if ! sync "$1" "${1%/*}"; then
	rmdir claim
	exit 1
fi
exec >/dev/null 2>&1 # lets the starter go on

# terminate ends the group: TERM, and KILL for what is left when GRACE is over.
terminate() {
	local group end=$((${EPOCHREALTIME/./} + $1 * 1000))
	until read -r group _ <pgid && [[ -n $group ]]; do
		kill -0 "$child" && [[ -e pgid ]] || return 0 # it ended, or somebody removed the run
		sleep 0.01
	done
	kill -TERM -- "-$group" || return 0
	while ((${EPOCHREALTIME/./} < end)); do
		kill -0 -- "-$group" || return 0
		sleep 0.05
	done
	kill -KILL -- "-$group"
}
grace=$5
read -r boot </proc/sys/kernel/random/boot_id

# In a job of its own INT and QUIT are not ignored. setsid --wait complains on stderr
# of a child that ended by a signal, and exits with its number: a shell cannot tell
# that from an exit with 128 and more. What it says of the group is for those who
# find it without its supervisor.
set -m
# shellcheck disable=SC2016 # for the inner bash
setsid --fork --wait bash -c 'read -ra stat </proc/$$/stat; echo "$$ ${stat[21]} $1" 1<>pgid || exit
	umask 022; exec 2>&1; exec "${@:2}"' - "$boot $grace" \
	setpriv --reuid="$2" --regid="$3" --init-groups -- env -i HOME="$4" /bin/bash launch "$1" \
	<environ >>log 2<>signaled 9>&- &
child=$!
set +m
trap 'woken=1; terminate "$grace"' TERM
[[ -z $asked ]] || terminate "$grace"
while
	woken=
	wait "$child"
	code=$?
	[[ -n $woken ]]
do :; done
trap '' TERM # there is nothing left to stop but what is stopped now
terminate "$grace"

read -r complaint <signaled
if [[ $complaint == *'did not exit normally'* ]]; then
	EXIT_CODE=killed EXIT_STATUS=$(kill -l $((code & 127)))
else
	EXIT_CODE=exited EXIT_STATUS=$code
fi
export EXIT_CODE EXIT_STATUS SERVICE_RESULT=success
rm -f -- pgid signaled
exec env LC_ALL=C perl end "$1"
