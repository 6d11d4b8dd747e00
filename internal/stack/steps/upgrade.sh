# Fresh lists, packages whole again after an install that was killed, and every
# update. needrestart, which Ubuntu has, must not restart a run: it would be this
# one, or a deployment while packages are updated.

readonly needrestart_conf=/etc/needrestart/conf.d/forge.conf

needrestart_conf() {
    printf '%s\n' '# Written by forge.' "\$nrconf{override_rc}{qr(^forge-run-)} = 0;"
}

check_upgrade() {
    needrestart_conf | holds "$needrestart_conf" && lists_fresh && dpkg_whole && ! apt_get --simulate upgrade --with-new-pkgs | grep -q '^Inst '
}

apply_upgrade() {
    directory /etc/needrestart/conf.d
    needrestart_conf | put "$needrestart_conf"
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
