# Fresh lists, packages whole again after an install that was killed, and every
# update.

check_upgrade() {
    lists_fresh && dpkg_whole && ! apt_get --simulate upgrade --with-new-pkgs | grep -q '^Inst '
}

apply_upgrade() {
    lists_fresh || apt_update
    if ! dpkg_whole; then
        dpkg --configure --pending --force-confdef --force-confold || true
        retry 3 apt_get --fix-broken install
    fi
    retry 3 apt_get --with-new-pkgs upgrade
    if [[ -e /run/reboot-required ]]; then
        echo 'some updates need a reboot'
    fi
}
