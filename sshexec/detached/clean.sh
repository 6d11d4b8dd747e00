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
			rm -f -- "$run/log" "$run/supervisor"
			;;
		esac
		unlock
	else
		state=unknown
	fi
	report
}
