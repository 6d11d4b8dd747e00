# Keeps a run where there is no systemd: supervise RUN UID GID HOME GRACE.
# It reaches the process group of the script, not those who made their own.
cd -- "$1" || exit
exec 9>>supervisor
flock 9 # held as long as this lives
asked=
trap 'asked=1' TERM # may come as soon as the claim is there
mkdir claim 2>/dev/null || exit
echo $$ >supervisor
exec >/dev/null 2>&1 # the claim is there: lets the starter go on

# terminate ends the group: TERM, and KILL for what is left when GRACE is over.
terminate() {
	local group end=$((${EPOCHREALTIME/./} + $1 * 1000))
	until group=$(<pgid) && [[ -n $group ]]; do
		[[ -e supervisor ]] || return 0 # somebody removed the whole run
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

# setsid --wait complains on stderr of a child that ended by a signal, and exits
# with its number: a shell cannot tell that from an exit with 128 and more.
# shellcheck disable=SC2016 # for the inner bash
setsid --fork --wait bash -c 'echo $$ >pgid; umask 022; exec 2>&1 9>&-; exec "$@"' - \
	setpriv --reuid="$2" --regid="$3" --init-groups -- env -i HOME="$4" /bin/bash launch "$1" \
	<environ >>log 2>signaled &
child=$!
trap 'woken=1; terminate "$grace"' TERM
[[ -z $asked ]] || terminate "$grace"
while
	woken=
	wait "$child"
	code=$?
	[[ -n $woken ]]
do :; done
terminate "$grace"

if [[ -s signaled ]]; then
	EXIT_CODE=killed EXIT_STATUS=$(kill -l $((code & 127)))
else
	EXIT_CODE=exited EXIT_STATUS=$code
fi
export EXIT_CODE EXIT_STATUS SERVICE_RESULT=success
rm -f -- pgid signaled
env LC_ALL=C perl end "$1"
