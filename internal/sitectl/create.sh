id=$1 user=$2 home=$3 web=$4 state=$5 hosts=$6 logs=${14}
vhost_file=$7 vhost=$8
pool_file=$9 pool=${10} socket=${11} fpm=${12} fpm_service=${13} # empty without PHP
shared=${15}                                                     # the site's directory where it shares its user, or empty

if [[ ! -d ${vhost_file%/*} ]] || ! command -v nginx >/dev/null; then
	die 82 'nginx is not set up on this server: install the stack first'
fi
if [[ $fpm ]] && ! command -v "$fpm" >/dev/null; then
	die 82 "$fpm is not installed on this server"
fi

recover

# Somebody else's user, home or directory is never taken over.
if [[ $shared ]]; then
	if ! getent passwd "$user" >/dev/null || [[ ! -d $home ]]; then
		die 82 "the user $user is not set up on this server: install the stack first"
	fi
	if [[ -e $shared || -L $shared ]]; then
		known "dir $shared" || die 81 "$shared exists and is not the site's"
	fi
elif getent passwd "$user" >/dev/null; then
	known "user $user" || die 81 "the user $user exists and is not the site's"
elif [[ -e $home || -L $home ]]; then
	known "home $home" || die 81 "$home exists and is not the site's"
fi

# A mistake of others is told apart from one of ours, and before anything is changed.
fresh_vhost='' fresh_pool=''
same "$vhost_file" "$vhost" || fresh_vhost=1
[[ -z $fpm ]] || same "$pool_file" "$pool" || fresh_pool=1
if [[ $fresh_vhost ]]; then
	test_nginx || die 83 'the configuration of nginx was broken before; nothing was changed'
fi
if [[ $fresh_pool ]] && ! no_pool; then
	test_fpm || die 83 "the configuration of $fpm was broken before; nothing was changed"
fi

mkdir -p -- "${state%/*}"
[[ -d $state ]] || mkdir -- "$state"

# The home lets nginx through and nobody else, so that what is in it can have
# the usual modes.
own_user() {
	if ! getent passwd "$user" >/dev/null; then
		record "user $user"
		useradd --user-group --no-create-home --no-log-init --home-dir "$home" --shell /bin/bash \
			--comment "forge-$id" -- "$user"
		echo "made the user $user"
	fi
	if [[ $(getent shadow "$user" | cut -d: -f8) ]]; then # by a delete that failed
		usermod --expiredate '' -- "$user"
		echo "opened the account $user"
	fi
	if [[ ! -d $home ]]; then
		record "home $home"
		mkdir -m 0700 -- "$home"
		echo "made $home"
	fi
	if [[ $(stat -c '%U:%G:%a' -- "$home") != "$user:www-data:710" ]]; then
		chown -h -- "$user:www-data" "$home"
		chmod 0710 -- "$home"
	fi
}
if [[ $shared ]]; then # the user and the home are the stack's
	record "dir $shared"
else
	own_user
fi

# From here on down the user could have planted links, so root stays out.
# A link in the place of the web directory is the user's own affair.
if ! as_user test -d "$web"; then
	as_user mkdir -p -- "$web"
	echo "made $web"
fi

# Pools for other versions of PHP, which the site had before.
mapfile -t old_pools < <(made pool | grep -vxF -- "$pool_file" || true)

trap restore EXIT

if ! same "$state/known_hosts" "$hosts"; then
	replace "$state/known_hosts" "$hosts"
	echo "wrote $state/known_hosts"
fi

if [[ $fresh_pool ]]; then
	record "pool $pool_file"
	replace "$pool_file" "$pool"
	test_fpm || die 84 "$fpm refuses the configuration of the site; it was put back"
fi
if [[ $fresh_vhost ]]; then
	record "vhost $vhost_file"
	# nginx itself would let everyone read them.
	for log in "$logs".access.log "$logs".error.log; do
		[[ -e $log ]] || install -m 0640 -o www-data -g adm -- /dev/null "$log"
	done
	replace "$vhost_file" "$vhost"
	test_nginx || die 84 'nginx refuses the configuration of the site; it was put back'
fi

if [[ $fresh_pool ]]; then
	touched+=("$fpm_service")
	systemctl reload-or-restart "$fpm_service"
	eventually 1500 test -S "$socket" ||
		die 85 "$fpm_service did not take the configuration of the site up; it was put back"
	echo "reloaded $fpm_service"
fi
if [[ $fresh_vhost ]]; then
	touched+=(nginx)
	reload_nginx || die 85 'nginx did not take the configuration of the site up; it was put back'
	echo 'reloaded nginx'
fi

# What nginx took on before has its answer, or a while to get one.
((${#old_pools[@]} == 0)) || eventually 500 drained || true
for old in "${old_pools[@]}"; do
	[[ -e $old ]] || continue # of a change that was put back
	drop_pool "$old"
	echo "removed $old"
done
keep
for old in "${old_pools[@]}"; do
	forget "pool $old"
done
