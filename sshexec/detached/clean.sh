# clean removes what a run that has ended left, but for its claim and status: it
# never runs again.
clean() {
	if [[ -d $run ]]; then
		lock
		look
		case $state in
		running | unknown) ;;
		*)
			discard
			rm -f -- "$run"/{log,supervisor,pgid,signaled}
			;;
		esac
		unlock
	else
		state=unknown
	fi
	# What a start left that was killed on the way.
	find "$runs" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf -- {} + 2>/dev/null
	report
}
