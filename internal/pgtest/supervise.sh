# Keeps a PostgreSQL in a directory of its own until standard input ends, which
# it does when the test binary does. $1 is the folder of the programs; the rest
# goes to postgres. Orders come line by line: start, or the signal to stop by.
bin=$1
shift
dir=$(mktemp -d /tmp/forge-postgres-XXXXXX) || exit # short, as the path of a socket has to be
echo "directory $dir"

fail() {
	tail -n 20 "$dir/log"
	rm -rf "$dir"
	exit 1
}

start() {
	"$bin/postgres" -D "$dir/data" -k "$dir" "$@" >>"$dir/log" 2>&1 </dev/null &
	pid=$!
	until grep -q ready "$dir/data/postmaster.pid" 2>/dev/null; do
		sleep 0.02
		kill -0 "$pid" 2>/dev/null || fail
	done
	echo ready
}

stop() {
	[ -z "$pid" ] || kill "-$1" "$pid"
	wait
	pid=
}

"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions \
	--wal-segsize=1 >"$dir/log" 2>&1 </dev/null || fail
start "$@"
while read -r order; do
	case $order in
	start) start "$@" ;;
	*) stop "$order" && echo stopped ;;
	esac
done
stop QUIT
rm -rf "$dir"
