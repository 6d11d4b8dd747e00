# The last process of a run, as root, when the others are gone: end RUN UNITFILE.
# EXIT_CODE and EXIT_STATUS are the outcome; they are missing where the condition
# stopped the start, as then the run is another's. SERVICE_RESULT only tells
# whether systemd keeps the unit as failed.
exec >/dev/null 2>&1
trap : TERM # a disk that takes longer than systemd waits must not cost the status
[[ -n ${EXIT_CODE:-} ]] && cd -- "$1" || exit 0

# What fails while the machine goes down was ended by that: no status, as after a
# power loss, says interrupted.
cut=
[[ $EXIT_CODE.$EXIT_STATUS != exited.0 && $(systemctl is-system-running) == stopping ]] && cut=1

printf '%-63s\n' "$EXIT_CODE $EXIT_STATUS $SERVICE_RESULT" 1<>status.new # in place: the disk may be full
sync -- status.new &
rm -rf -- ${2+"$2"} script launch supervise end environ files
wait
if [[ -n $cut ]]; then
	rm -f -- status.new
else
	mv --no-target-directory -- status.new status
fi
