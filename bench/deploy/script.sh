# shellcheck shell=bash
# What Capistrano does: a mirror of the repository, a release of its own for each
# deployment, and a symlink that leads to it.
cd "$FORGE_SITE_PATH" || exit
if [[ ! -e repo ]]; then
	git clone --quiet --mirror ~/origin.git repo
fi
git -C repo fetch --quiet --prune --no-auto-maintenance
release=$PWD/releases/$(date -u +%Y%m%d%H%M%S%N)
mkdir -p "$release"
git -C repo archive main | tar -x -C "$release"
git -C repo rev-parse main >"$release/REVISION"
ln -s "$release" current.new
mv -T current.new current
find releases -mindepth 1 -maxdepth 1 | sort | head -n -5 | xargs -r rm -rf
