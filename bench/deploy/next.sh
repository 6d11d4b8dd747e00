# shellcheck shell=bash
# Checks that each of the sites has the newest commit if it was deployed last, which
# is $1, and makes another commit.
cd ~/origin.git || exit
[[ $(<"$1/current/REVISION") == "$(git rev-parse main)" ]]
[[ $(find "$1/current/" -name 'file-*' | wc -l) == "$2" ]]
{
	printf 'commit refs/heads/main\ncommitter Ada <ada@example.org> now\ndata 4\nNext\nfrom refs/heads/main^0\n'
	printf 'M 100644 inline src/0/file-0\ndata %d\n%s\n' 36 "$(</proc/sys/kernel/random/uuid)"
} | git fast-import --quiet --date-format=now
