# The last process of a run, as root, when the others are gone: end RUN UNITFILE.
# EXIT_CODE and EXIT_STATUS are the outcome; they are missing where the condition
# stopped the start, as then the run is another's. SERVICE_RESULT only tells
# whether systemd keeps the unit as failed.
exec >/dev/null 2>&1
trap : TERM # a disk that takes longer than systemd waits must not cost the status
[[ -n ${EXIT_CODE:-} ]] && cd -- "$1" || exit 0
printf '%-63s\n' "$EXIT_CODE $EXIT_STATUS $SERVICE_RESULT" 1<>status.new # in place: the disk may be full
sync -- status.new &
rm -rf -- ${2+"$2"} script launch supervise end environ files
wait
mv --no-target-directory -- status.new status
