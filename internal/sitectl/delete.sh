state=$1 logs=$2 keys=$3
user=$4 deploy_key=$5 # of a site that shares its user

if [[ ! -f $state/made ]]; then # nothing was made, or all of it is gone
	rm -rf -- "$state"
	exit 0
fi
recover

vhost_file=$(made vhost)
mapfile -t pools < <(made pool)
shared=$(made dir) # its directory, where it shares its user
owner=$(made user) home=$(made home)

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

touched=()
for pool in "${pools[@]}"; do
	[[ -e $pool ]] || continue
	drop_pool "$pool"
	keep
	echo 'removed the FPM pool'
done

rm -f -- "$logs".access.log* "$logs".error.log*

# The user stays, and so do its other processes and files.
if [[ $shared ]] && getent passwd "$user" >/dev/null; then
	as_user rm -f -- "$deploy_key" "$deploy_key".new{,.pub}
	if as_user test -e "$shared" -o -L "$shared"; then
		as_user find "$shared" -xdev -type d ! -perm -u=rwx -exec chmod u+rwx {} \; || true
		as_user rm -rf --one-file-system -- "$shared" || die 86 "$shared cannot be removed"
		echo "removed $shared"
	fi
fi

if [[ $owner ]] && uid=$(id -u -- "$owner" 2>/dev/null); then
	((uid >= 1000)) || die 81 "$owner became a user of the system"
	rm -f -- "$keys"                      # no new logins,
	usermod --expiredate 1 -- "$owner" # by other ways neither
	eventually 500 idle || die 86 "processes of $owner do not end"
fi
# Nobody is left who could plant a link meanwhile.
if [[ $home && -e $home ]]; then
	rm -rf --one-file-system -- "$home" || die 86 "$home cannot be removed"
	echo "removed $home"
fi
if [[ $owner ]] && uid=$(id -u -- "$owner" 2>/dev/null); then
	# What lies elsewhere would be the next user's who gets this number.
	find /tmp /var/tmp /dev/shm /var/lib/php/sessions /var/spool/cron /var/mail \
		-xdev -uid "$uid" -delete 2>/dev/null || true
	userdel -- "$owner" || die 86 "the user $owner cannot be removed"
	echo "removed the user $owner"
fi
rm -rf -- "$state"
