check_cleanup() {
    [[ -z $(find /var/cache/apt/archives -name '*.deb' -print -quit) ]] &&
        ! apt_get --simulate autoremove | grep -q '^Remv '
}

apply_cleanup() {
    apt_get autoremove
    apt_get clean
}
