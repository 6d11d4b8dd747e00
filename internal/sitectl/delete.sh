state=$1 logs=$2 keys=$3

# made PREFIX prints the rest of the record that begins so.
made() {
	local line
	while IFS= read -r line; do
		[[ $line != "$1 "* ]] || printf '%s\n' "${line#"$1 "}"
	done <"$state/made"
}

if [[ ! -f $state/made ]]; then # nothing was made, or all of it is gone
	rm -rf -- "$state"
	exit 0
fi
put_back # what a run left that was ended before its time

user=$(made user) home=$(made home) vhost_file=$(made vhost) pool_file=$(made pool)
version=${pool_file#/etc/php/}
version=${version%%/*}
fpm=php-fpm$version fpm_service=php$version-fpm

# withdraw FILE
withdraw() {
	remember "$1"
	rm -- "$1"
}

trap restore EXIT

if [[ $vhost_file && -e $vhost_file ]]; then
	if systemctl is-active --quiet nginx; then
		test_nginx || die 83 'the configuration of nginx was broken before; nothing was changed'
		withdraw "$vhost_file"
		test_nginx || die 84 'nginx refuses to do without the site; it was put back'
		touched=(nginx)
		reload_nginx || die 85 'nginx did not let go of the site; it was put back'
	else
		rm -- "$vhost_file"
	fi
	keep
	echo 'removed the virtual host'
fi

gone() {
	[[ ! -e $socket ]]
}

if [[ $pool_file && -e $pool_file ]]; then
	socket=/run/php/$(basename -- "$pool_file" .conf).sock
	if systemctl is-active --quiet "$fpm_service"; then
		test_fpm || die 83 "the configuration of $fpm was broken before; the pool is still there"
		withdraw "$pool_file"
		touched=("$fpm_service")
		if no_pool; then
			systemctl stop "$fpm_service"
		else
			test_fpm || die 84 "$fpm refuses to do without the pool; it was put back"
			systemctl reload "$fpm_service"
		fi
		eventually 1500 gone || die 85 "$fpm_service did not let go of the pool; it was put back"
	else
		rm -- "$pool_file"
	fi
	rm -f -- "$socket"
	keep
	echo 'removed the FPM pool'
fi

rm -f -- "$logs".access.log* "$logs".error.log*

# processes prints the ids of the processes of uid that run, and "container" for
# those whose user only has the same number in one.
processes() {
	{ cat /proc/[0-9]*/status 2>/dev/null || true; } | awk -v uid="$uid" '
		/^State:/ { zombie = $2 == "Z" }
		/^Pid:/ { pid = $2 }
		/^Uid:/ { belongs = $2 == uid || $3 == uid || $4 == uid }
		/^NSpid:/ && belongs && !zombie { print NF == 2 ? pid : "container" }'
}

# idle ends the processes of uid and reports whether there were none.
idle() {
	local all own
	all=$(processes)
	own=${all//container/}
	[[ ${own//$'\n'/} ]] || return 0
	if [[ $own == "$all" ]]; then
		# One signal to all of them at once: nothing can fork away from it.
		setpriv --reuid="$uid" --clear-groups bash -c 'kill -KILL -1' 2>/dev/null || true
	else
		xargs -r kill -KILL <<<"$own" 2>/dev/null || true
	fi
	return 1
}

if [[ $user ]] && uid=$(id -u -- "$user" 2>/dev/null); then
	((uid >= 1000)) || die 81 "$user became a user of the system"
	rm -f -- "$keys"                    # no new logins,
	usermod --expiredate 1 -- "$user"   # by other ways neither
	eventually 500 idle || die 86 "processes of $user do not end"
fi
# Nobody is left who could plant a link meanwhile.
if [[ $home && -e $home ]]; then
	rm -rf --one-file-system -- "$home" || die 86 "$home cannot be removed"
	echo "removed $home"
fi
if [[ $user ]] && uid=$(id -u -- "$user" 2>/dev/null); then
	# What lies elsewhere would be the next user's who gets this number.
	find /tmp /var/tmp /dev/shm /var/lib/php/sessions /var/spool/cron /var/mail \
		-xdev -uid "$uid" -delete 2>/dev/null || true
	userdel -- "$user" || die 86 "the user $user cannot be removed"
	echo "removed the user $user"
fi
rm -rf -- "$state"
