# heal_submodules makes room for all submodules anew where the clone of one was
# ended before its time, which would fail every update to come.
heal_submodules() {
	if [[ -d .git/modules ]] &&
		! git submodule --quiet foreach --recursive "git rev-parse --verify 'HEAD^{commit}'" &>/dev/null; then
		git submodule --quiet deinit --all --force 2>/dev/null || true # update says what is wrong
		rm -rf -- .git/modules
	fi
}

