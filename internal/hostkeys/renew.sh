# Gives a machine a host key that was made on it, in place of the one that came
# with its user data. Both calls can be repeated. Wherever the machine stops in
# the middle of one, it shows the old key or the new one afterwards, and one more
# call of each goes on.
key=/etc/ssh/ssh_host_ed25519_key
new=$key.forge-new

public() { # public FILE: the public half of a private key
	ssh-keygen -y -P '' -f "$1" 2>/dev/null | cut -d ' ' -f 1,2
}

case $1 in
make) # make OLD: makes the new key beside the old one, and prints what it is
	it=$(public "$key" || true)
	if [[ -z $it || $it == "$2" ]]; then
		if ! public "$new" >/dev/null; then # not there, or half of it
			rm -f -- "$new" "$new.pub"
			ssh-keygen -q -t ed25519 -N '' -C '' -f "$new"
			sync -- "$new"
			sync -- "${new%/*}"
		fi
		it=$(public "$new")
	fi
	printf '%s\n' "$it"
	;;
use) # use NEW: puts it in place, and removes all other host keys
	if [[ $(public "$new" || true) == "$2" ]]; then
		mv -T -- "$new" "$key"
	fi
	if [[ $(public "$key" || true) != "$2" ]]; then
		echo 'the new host key is not there any more' >&2
		exit 1
	fi
	public "$key" >"$key.pub.forge-new"
	mv -T -- "$key.pub.forge-new" "$key.pub"
	for other in /etc/ssh/ssh_host_*_key*; do
		[[ $other == "$key" || $other == "$key.pub" ]] || rm -f -- "$other"
	done
	sync -- "${key%/*}"
	# Those who are connected stay so.
	systemctl try-reload-or-restart ssh
	;;
esac
