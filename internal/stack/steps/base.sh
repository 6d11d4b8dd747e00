# The tools that every step and every site needs.

check_base() {
    installed "${base_packages[@]}" && git config --system filter.lfs.process >/dev/null
}

apply_base() {
    apt_install "${base_packages[@]}"
    # What git checks out has the large files in the place of their pointers.
    remember /etc/gitconfig
    git lfs install --system --skip-repo >/dev/null
    install -d "$record/wrote/etc"
    sha256sum </etc/gitconfig >"$record/wrote/etc/gitconfig"
}
