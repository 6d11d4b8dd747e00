# What the scripts on sites begin with. They run as root, one at a time on a
# server.
export LC_ALL=C
umask 022
cd /

# The exit codes are those of errors.go.
die() {
	printf '%s\n' "$2" >&2
	exit "$1"
}

# A configuration is replaced in one rename, and what it was stays beside it as
# FILE.undo until the services run with the new one; an empty FILE.undo says
# that there was none.

# put_back undoes what was replaced and not kept.
put_back() {
	local undo
	for undo in /etc/nginx/forge.d/*.conf.undo /etc/php/*/fpm/pool.d/forge-*.conf.undo; do
		if [[ $undo -ef ${undo%.undo} ]]; then # ended before it was replaced
			rm -- "$undo"
		elif [[ -s $undo ]]; then
			mv -T -- "$undo" "${undo%.undo}"
		elif [[ -e $undo ]]; then
			rm -f -- "${undo%.undo}" "$undo"
		fi
	done
}

# keep makes what was replaced final.
keep() {
	rm -f -- /etc/nginx/forge.d/*.conf.undo /etc/php/*/fpm/pool.d/forge-*.conf.undo
}

# restore is the trap for EXIT while something is replaced. The services in
# touched may run with it already.
touched=()
restore() {
	local code=$? service
	((code)) || return 0
	put_back
	for service in "${touched[@]}"; do
		systemctl reload "$service" || true
	done
}

# remember FILE
remember() {
	if [[ -e $1 ]]; then
		ln -- "$1" "$1.undo"
	else
		: >"$1.undo"
	fi
}

# replace FILE CONTENT
replace() {
	printf '%s\n' "$2" >"$1.new"
	remember "$1"
	mv -T -- "$1.new" "$1"
}

# same FILE CONTENT
same() {
	[[ -f $1 && $(<"$1") == "$2" ]]
}

# test_nginx and test_fpm print nothing but errors.
test_nginx() {
	nginx -t -q
}

test_fpm() {
	local output
	output=$("$fpm" -t 2>&1) || {
		printf '%s\n' "$output" >&2
		return 1
	}
}

# no_pool: FPM does not run without any, and its test fails.
no_pool() {
	local file
	for file in "${pool_file%/*}"/*.conf; do
		[[ ! -e $file ]] || return 1
	done
}

# eventually N CONDITION... waits up to N hundredths of a second.
eventually() {
	local n=$1
	shift
	until "$@"; do
		((n-- > 0)) || return 1
		sleep 0.01
	done
}

# nginx takes a configuration up after the reload has returned, and only its
# log says when it does not. It did when the old workers take no new requests.
reload_nginx() {
	local master old
	master=$(systemctl show --property=MainPID --value nginx)
	((master)) || return 1
	old=$(cat "/proc/$master/task/$master/children")
	systemctl reload nginx && eventually 1000 retired
}

retired() {
	local pid title
	for pid in $old; do
		title=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
		[[ -z $title || $title == *'shutting down'* ]] || return 1
	done
}
