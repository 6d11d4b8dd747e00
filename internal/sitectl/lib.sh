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

# What was made for a site is in a list, of which delete takes away just that. A
# thing is recorded before it is made.
known() {
	[[ -f $state/made ]] && grep -qxF -- "$1" "$state/made"
}

record() {
	known "$1" || printf '%s\n' "$1" >>"$state/made"
}

forget() {
	grep -vxF -- "$1" "$state/made" >"$state/made.new" || true
	mv -T -- "$state/made.new" "$state/made"
}

# made PREFIX prints the rest of the lines that begin so.
made() {
	local line
	[[ -f $state/made ]] || return 0
	while IFS= read -r line; do
		[[ $line != "$1 "* ]] || printf '%s\n' "${line#"$1 "}"
	done <"$state/made"
}

as_user() {
	setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"
}

# A configuration is replaced in one rename, and what it was stays beside it as
# FILE.undo until the services run with the new one; an empty FILE.undo says
# that there was none.

# put_back undoes what was replaced and not kept.
put_back() {
	local undo
	for undo in /etc/nginx/forge.d/*.conf.undo /etc/php/*/fpm/pool.d/forge-*.conf.undo /etc/forge/sites/*/known_hosts.undo; do
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
	rm -f -- /etc/nginx/forge.d/*.conf.undo /etc/php/*/fpm/pool.d/forge-*.conf.undo /etc/forge/sites/*/known_hosts.undo
}

# restore is the trap for EXIT while something is replaced. The services in
# touched may run with it already; the last one goes back first, as nginx must
# find a pool before and after.
touched=()
restore() {
	local code=$? i
	((code)) || return 0
	put_back
	for ((i = ${#touched[@]} - 1; i >= 0; i--)); do
		systemctl reload "${touched[i]}" || true
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

# withdraw FILE
withdraw() {
	remember "$1"
	rm -- "$1"
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

# drop_pool FILE withdraws a pool, for whichever version of PHP it is.
drop_pool() {
	local pool_file=$1 version fpm fpm_service socket
	[[ -e $pool_file ]] || return 0
	version=${pool_file#/etc/php/}
	version=${version%%/*}
	fpm=php-fpm$version fpm_service=php$version-fpm
	socket=$(sed -n 's/^listen = //p' "$pool_file")
	if systemctl is-active --quiet "$fpm_service"; then
		test_fpm || die 83 "the configuration of $fpm was broken before; the pool is still there"
		withdraw "$pool_file"
		touched+=("$fpm_service")
		if no_pool; then
			systemctl stop "$fpm_service"
		else
			test_fpm || die 84 "$fpm refuses to do without the pool; it was put back"
			systemctl reload "$fpm_service"
		fi
		eventually 1500 gone "$socket" || die 85 "$fpm_service did not let go of the pool; it was put back"
	else
		withdraw "$pool_file"
	fi
	[[ -z $socket ]] || rm -f -- "$socket"
}

gone() {
	[[ ! -e $1 ]]
}

# nginx takes a configuration up after the reload has returned, and only its
# log says when it does not. It did when the old workers take no new requests.
retiring='' # its workers until then
reload_nginx() {
	local master
	master=$(systemctl show --property=MainPID --value nginx)
	((master)) || return 1
	retiring=$(cat "/proc/$master/task/$master/children")
	systemctl reload nginx && eventually 1000 retired
}

retired() {
	local pid title
	for pid in $retiring; do
		title=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
		[[ -z $title || $title == *'shutting down'* ]] || return 1
	done
}

# drained: the old workers have no request left.
drained() {
	local pid
	for pid in $retiring; do
		[[ ! -d /proc/$pid ]] || return 1
	done
}
