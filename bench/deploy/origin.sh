# shellcheck shell=bash
# Makes the repository that is deployed, of $1 files.
rm -rf ~/origin.git
git init --quiet --bare --initial-branch=main ~/origin.git
{
	printf 'commit refs/heads/main\ncommitter Ada <ada@example.org> now\ndata 5\nFirst\n'
	for ((i = 0; i < $1; i++)); do
		printf 'M 100644 inline src/%d/file-%d\ndata 2048\n%2048d\n' $((i % 10)) "$i" "$i"
	done
} | git -C ~/origin.git fast-import --quiet --date-format=now
