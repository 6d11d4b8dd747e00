key=$1 comment=$2

umask 077
mkdir -p -- "${key%/*}"
if [[ ! -f $key ]]; then
	# The public half is derived, so that there is but one truth.
	rm -f -- "$key.new" "$key.new.pub"
	ssh-keygen -q -t ed25519 -N '' -C "$comment" -f "$key.new"
	rm -- "$key.new.pub"
	mv -T -- "$key.new" "$key"
fi
ssh-keygen -y -P '' -f "$key"
