cd "$FORGE_SITE_PATH"

git fetch origin "$FORGE_SITE_BRANCH"
git reset --hard "${FORGE_DEPLOY_COMMIT:-FETCH_HEAD}"
