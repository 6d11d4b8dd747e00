dir=$3
commit=$4 # empty for the newest of the branch

cd -- "$dir"
find .git -type f -name '*.lock' -delete # of a deployment that was ended before its time; none runs now
[[ $(git config remote.origin.url) == "$url" ]] || git config remote.origin.url "$url"
timeout --kill-after=2 300 git fetch --quiet --no-tags --no-recurse-submodules origin "+refs/heads/$branch:refs/remotes/origin/$branch"
head=$(git rev-parse --verify FETCH_HEAD)
heal_submodules # after the fetch: until then the site keeps what it has
if [[ $commit ]]; then
	if ! git merge-base --is-ancestor "$commit" "$head"; then
		echo "fatal: commit $commit is not on the branch $branch" >&2
		exit 90
	fi
	head=$commit
fi
printf '%s\0' "$head"
# What a hostile commit says can be of any length.
head -c 65536 < <(git -c log.showSignature=false log -1 --no-color --encoding=UTF-8 --format='%an%x00%s' "$head")
