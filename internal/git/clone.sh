# Begins a clone, or goes on with one that was ended before its time.
export LC_ALL=C GIT_ALLOW_PROTOCOL=ssh:https
url=$FORGE_GIT_URL branch=$FORGE_GIT_BRANCH
unfinished=.git/forge-unfinished

if [[ ! -e $unfinished ]]; then
	if git rev-parse --quiet --verify 'HEAD^{commit}' >/dev/null 2>&1 &&
		[[ $(git rev-parse --show-toplevel) == "$PWD" ]]; then
		echo 'The repository was cloned before.'
		exit 0
	fi
	# The environment file may be there before the clone.
	if [[ $(find . \( -path ./.git -o -path ./.env -o -path ./.env.forge-new \) -prune -o ! -type d -print -quit) ]]; then
		echo "$PWD is not empty: it has to be, to clone a repository into it." >&2
		exit 1
	fi
	git init --quiet --initial-branch="$branch"
	: >"$unfinished"
fi

find .git -type f -name '*.lock' -delete # of the run before, which is over
git config remote.origin.url "$url"
git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
echo "Cloning the branch $branch of $url"
git fetch --no-tags --no-recurse-submodules origin "+refs/heads/$branch:refs/remotes/origin/$branch"
git checkout --quiet --force -B "$branch" "refs/remotes/origin/$branch"
if [[ -f .gitmodules ]]; then
	heal_submodules
	git submodule --quiet sync --recursive
	git submodule update --init --recursive --force
fi
rm -- "$unfinished"
git log -1 --no-color --format='Checked out %h'
