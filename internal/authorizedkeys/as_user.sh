# Runs the script $2 as the user $1, who may be missing.
if ! getent passwd "$1" >/dev/null; then
	echo "there is no user $1" >&2
	exit 81
fi
exec setpriv --reuid="$1" --regid="$(id -g -- "$1")" --init-groups -- bash -euo pipefail -c "$2" forge "$1" home
