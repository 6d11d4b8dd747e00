# On stdin, a line each: "remove KIND BASE64" and "add KIND BASE64 MARK".
user=$1 place=$2
export LC_ALL=C
umask 077

entry=$(getent passwd -- "$user") || {
	echo "there is no user $user" >&2
	exit 81
}
if [[ $place == home ]]; then
	IFS=: read -r _ _ _ _ _ home _ <<<"$entry"
	dir=$home/.ssh file=$home/.ssh/authorized_keys mode=600
	mkdir -p -- "$dir"
	exec {lock}<"$dir"
	[[ ! -L $file ]] || file=$(readlink -f -- "$file")
else
	dir=/etc/ssh/authorized_keys.d file=/etc/ssh/authorized_keys.d/$user mode=644
	[[ -d $dir ]] || mkdir -m 0755 -- "$dir"
	exec {lock}>"$dir/.lock" # the directory itself could be locked by anyone
fi
flock --timeout 30 "$lock"

# find_keys FILE KEY... prints "LINE KEY" for the lines of a file with one of the
# keys. A key stands behind options at most, whose quotes may hold anything.
# shellcheck disable=SC2016 # awk's own
find_keys='
	FNR == NR { wanted[$2 " " $3] = 1; next }
	{
		sub(/\r$/, "")
		rest = $0
		sub(/^[ \t]+/, "", rest)
		if (rest == "" || rest ~ /^#/) next
		for (pass = 1; pass <= 2; pass++) {
			n = split(rest, field, /[ \t]+/)
			key = field[1] " " field[2]
			if (n > 1 && key in wanted) { print FNR, key; next }
			if (pass == 1 && !match(rest, /^([^ \t"]|"([^"\\]|\\.)*")+[ \t]+/)) next
			rest = substr(rest, RSTART + RLENGTH)
		}
	}'

edits=$(cat)
if [[ -z $edits ]]; then
	echo unchanged
	exit 0
fi
old=/dev/null
[[ ! -e $file ]] || old=$file
found=$(awk "$find_keys" <(printf '%s\n' "$edits") "$old")

declare -A present=()
while read -r number key; do
	[[ -z $number ]] || present[$key]+="${number}d;"
done <<<"$found"

drop='' append=''
while read -r what kind blob mark; do
	case $what in
	remove)
		drop+=${present["$kind $blob"]-}
		unset "present[$kind $blob]"
		;;
	add)
		[[ -z ${present["$kind $blob"]-} ]] || continue
		present["$kind $blob"]=new
		append+="$kind $blob $mark"$'\n'
		;;
	esac
done <<<"$edits"

if [[ -z $drop$append ]]; then
	echo unchanged
	exit 0
fi

# Beside, checked, renamed.
new=$(mktemp -- "$file.XXXXXXXX")
trap 'rm -f -- "$new"' EXIT
sed -e "$drop" -- "$old" >"$new"
if [[ $append && -s $new && $(tail -c 1 -- "$new" | wc -l) == 0 ]]; then
	echo >>"$new"
fi
printf '%s' "$append" >>"$new"

count() { awk 'END { print NR }' "$1"; }
dropped=${drop//[!;]/} appended=${append//[!$'\n']/}
if (($(count "$new") != $(count "$old") - ${#dropped} + ${#appended})); then
	echo "$new came out with a wrong number of lines; $file was not changed" >&2
	exit 1
fi
chmod "$mode" -- "$new"
sync -- "$new"
mv -T -- "$new" "$file"
trap - EXIT
echo changed
