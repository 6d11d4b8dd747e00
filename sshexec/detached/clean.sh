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
			rm -rf -- "$run"/{log,supervisor,pgid,signaled} "$runs/.new.$id".* # the last of starts that were killed
			;;
		esac
		unlock
	else
		state=unknown
	fi
	report
}
