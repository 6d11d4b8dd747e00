cd "$FORGE_SITE_PATH"

# The commit was fetched before this script, as a rule.
if ! git cat-file -e "${FORGE_DEPLOY_COMMIT:-}^{commit}" 2>/dev/null; then
    git fetch --no-recurse-submodules origin "$FORGE_SITE_BRANCH"
fi
git reset --hard "${FORGE_DEPLOY_COMMIT:-FETCH_HEAD}"

if [ -f .gitmodules ]; then
    git submodule --quiet sync --recursive
    GIT_ALLOW_PROTOCOL=ssh:https git submodule update --init --recursive --force
fi

if [ -f composer.json ]; then
    if command -v composer >/dev/null; then
        "${FORGE_PHP:-php}" "$(command -v composer)" install --no-dev --no-interaction --prefer-dist --optimize-autoloader
    else
        echo 'There is a composer.json, but composer is not installed.' >&2
    fi
fi

if [ -f artisan ]; then
    "${FORGE_PHP:-php}" artisan migrate --force
fi
