# stop ends the run with all its processes, or bars it when it has not started:
# a link takes the place of the claim, which is the condition of the start.
stop() {
	local pid
	lock
	ln --symbolic --no-target-directory -- barred "$run/claim" 2>/dev/null
	claimed || refuse "cannot bar the run, is the disk full?"
	unlock
	look
	if [[ $state == running ]]; then
		if has_systemd; then
			systemctl --quiet stop -- "$unit"
		else
			read -r pid <"$run/supervisor" && kill -TERM "$pid"
			flock -- "$run/supervisor" true
		fi
		look
	fi
	report
}
