# Waits for the first boot, in which cloud-init installs packages and keys of its
# own: exits with 75 where another look makes sense. Not every image has
# cloud-init, and what hangs for five minutes is waited for no longer.
waits=/run/forge/first-boot # since when

command -v cloud-init >/dev/null || exit 0
for ended in /run/cloud-init/result.json /run/cloud-init/disabled /etc/cloud/cloud-init.disabled; do
	[[ ! -e $ended ]] || exit 0
done
state=$(timeout 10 cloud-init status 2>/dev/null | sed -n 's/^status: //p' || true)
case ${state:-hangs} in
running | not* | hangs) ;; # "not run", "not started"
*)
	echo "cloud-init ended, and its state is \"$state\": going on"
	exit 0
	;;
esac
install -d -m 0700 /run/forge
[[ -e $waits ]] || : >"$waits"
if [[ -n $(find "$waits" -mmin +5) ]]; then
	echo "cloud-init has not ended in 300 s, and its state is \"$state\": going on"
	exit 0
fi
echo "cloud-init has not ended" >&2
exit 75
