# shellcheck shell=bash
# stop.sh TOKEN ends a command: the processes that carry its token in their
# environment, their sessions and their descendants. TERM first, KILL a second
# later. Fails when some are left after all.
set +e # a process may be gone before it is looked at or asked to go
shopt -s nullglob
declare -A found=() asked=() # asked: not to be sent TERM any more

look() {
	local p line more=1
	local -A parent=() session=()
	while IFS= read -r p; do
		p=${p#/proc/}
		found[${p%/environ}]=1
	done < <(grep -lszxF -- "FORGE_COMMAND=$1" /proc/[0-9]*/environ)
	for p in /proc/[0-9]*/stat; do
		{ IFS= read -r line <"$p"; } 2>/dev/null || continue
		p=${p#/proc/}
		p=${p%/stat}
		# shellcheck disable=SC2086 # fields after the name: state ppid pgrp session
		set -- ${line##*) }
		[[ $1 == [ZX] ]] && continue
		# It ends with its child, but after a TERM takes 2 s more.
		[[ $line == *"(runuser) "* ]] && asked[$p]=1
		parent[$p]=$2
		session[$p]=$4
	done
	for p in "${!found[@]}"; do
		[[ ${parent[$p]-} ]] || unset "found[$p]"
	done
	while ((more)); do
		more=0
		for p in "${!parent[@]}"; do
			[[ ${found[$p]-} ]] && continue
			if [[ ${found[${parent[$p]}]-}${found[${session[$p]}]-} ]]; then
				found[$p]=1
				more=1
			fi
		done
	done
}

seen=0
for ((round = 0; round < 80; round++)); do
	look "$1"
	if ((${#found[@]} == 0)); then
		# It may be about to start: sshd has forked, and no more.
		((seen || round > 15)) && exit 0
	elif ((seen++ >= 20)); then
		kill -KILL -- "${!found[@]}" 2>/dev/null
	else
		for p in "${!found[@]}"; do
			[[ ${asked[$p]-} ]] || kill -TERM -- "$p" 2>/dev/null
			asked[$p]=1
		done
	fi
	sleep 0.05
done
exit 1
