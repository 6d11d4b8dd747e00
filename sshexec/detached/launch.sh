# The first process of a run, as its user: launch RUN.
#
# The directory to start in and the environment come on stdin, each value ended
# by a NUL, from a file that root opened and this user cannot. (systemd's
# EnvironmentFile refuses what is not UTF-8 and some of what is.) No variable is
# used but $1, $2 and so on: the environment may have one of any name.
mapfile -d '' -t
set -- "$1" "${MAPFILE[@]}"
mapfile -n 1 <"$1/script"
set -- "$1" "${MAPFILE[0]:0:2}" "${@:2}"
unset MAPFILE
exec </dev/null
export HOME="${HOME:-/}"
if [[ -n $3 ]]; then
	cd -- "$3" || exit
else
	cd -- "$HOME" 2>/dev/null || cd /
fi
unset OLDPWD
export -- "${@:4}"
if [[ $2 == '#!' ]]; then
	exec -- "$1/script"
fi
exec -- /bin/bash -euo pipefail "$1/script"
