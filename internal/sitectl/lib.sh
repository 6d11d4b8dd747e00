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
# FILE.undo until the services run with the new one, or again with the old one;
# an empty FILE.undo says that there was none.

# unsettled finds what was replaced and not kept.
unsettled() {
	local undo
	undos=()
	for undo in /etc/nginx/forge.d/*.conf.undo /etc/php/*/fpm/pool.d/forge-*.conf.undo /etc/forge/sites/*/known_hosts.undo; do
		[[ ! -e $undo ]] || undos+=("$undo")
	done
	((${#undos[@]}))
}

# put_back undoes what is unsettled.
put_back() {
	local undo file
	for undo in "${undos[@]}"; do
		file=${undo%.undo}
		if [[ $undo -ef $file ]]; then # not replaced yet, or back already
			continue
		elif [[ -s $undo ]]; then
			ln -f -- "$undo" "$file.new"
			mv -T -- "$file.new" "$file"
		else
			rm -f -- "$file"
		fi
	done
}

# keep makes final what is in place.
keep() {
	rm -f -- /etc/nginx/forge.d/*.conf.undo /etc/php/*/fpm/pool.d/forge-*.conf.undo /etc/forge/sites/*/known_hosts.undo
}

# restore is the trap for EXIT while something is replaced. The services in
# touched may run with it already; the last one goes back first, as nginx must
# find a pool before and after.
touched=()
restore() {
	local i
	unsettled || return 0
	put_back
	for ((i = ${#touched[@]} - 1; i >= 0; i--)); do
		systemctl reload "${touched[i]}" || true
	done
	keep
}

# recover puts back what a run left that was ended before its time. The services
# may run with it, so they are reloaded in the order of restore.
recover() {
	local undo vhost='' back=() leaving=()
	unsettled || return 0
	put_back
	for undo in "${undos[@]}"; do
		case $undo in
		/etc/nginx/*) vhost=1 ;;
		/etc/php/*) if [[ -s $undo ]]; then back+=("${undo%.undo}"); else leaving+=("${undo%.undo}"); fi ;;
		esac
	done
	for undo in "${back[@]}"; do
		recover_pool "$undo"
	done
	if [[ $vhost ]] && systemctl is-active --quiet nginx; then
		test_nginx || die 83 'the configuration of nginx was broken before; nothing was changed'
		reload_nginx || die 85 'nginx did not take up again what an earlier change had replaced'
	fi
	for undo in "${leaving[@]}"; do
		recover_pool "$undo"
	done
	keep
}

# recover_pool FILE
recover_pool() {
	local pool_file=$1 version fpm fpm_service
	version=${pool_file#/etc/php/}
	version=${version%%/*}
	fpm=php-fpm$version fpm_service=php$version-fpm
	command -v "$fpm" >/dev/null || return 0
	if no_pool; then
		systemctl stop "$fpm_service"
		return
	fi
	test_fpm || die 83 "the configuration of $fpm was broken before; nothing was changed"
	systemctl reload-or-restart "$fpm_service"
	[[ ! -e $pool_file ]] || eventually 1500 test -S "$(sed -n 's/^listen = //p' "$pool_file")" ||
		die 85 "$fpm_service did not take up again what an earlier change had replaced"
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
