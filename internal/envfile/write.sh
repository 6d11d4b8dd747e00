# The content is on stdin; $2 is its length in bytes, 0 to have no file.
dir=$1 size=$2
new=.env.forge-new
umask 077
cd -- "$dir"
rm -f -- "$new" # of a run that was killed
if ((size == 0)); then
	rm -f -- .env
	sync -- .
	exit 0
fi

# Beside, checked, renamed. A link in the place of either is replaced, not
# followed.
trap 'rm -f -- "$new"' EXIT
set -o noclobber
exec {out}>"$new"
chmod 600 -- "$new"
cat >&"$out"
exec {out}>&-
if [[ $(stat --format=%s -- "$new") != "$size" ]]; then
	echo "the new $dir/.env did not arrive whole; the old one was not changed" >&2
	exit 1
fi
sync -- "$new"
mv -T -- "$new" .env
trap - EXIT
sync -- .
