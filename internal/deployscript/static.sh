cd "$FORGE_SITE_PATH"

git fetch --no-recurse-submodules origin "$FORGE_SITE_BRANCH"
git reset --hard "${FORGE_DEPLOY_COMMIT:-FETCH_HEAD}"

if [ -f .gitmodules ]; then
    git submodule --quiet sync --recursive
    GIT_ALLOW_PROTOCOL=ssh:https git submodule update --init --recursive --force
fi
