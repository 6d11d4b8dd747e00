# A swap file, as apt needs more memory than the smallest machines have.

check_swap() {
    if systemd-detect-virt --quiet --container; then
        echo 'a container has no swap of its own: skipped'
        return
    fi
    [[ $(stat -c %s /swapfile 2>/dev/null) == $((swap_mb << 20)) ]] &&
        swapon --show=NAME --noheadings | grep -qx /swapfile &&
        grep -q '^/swapfile ' /etc/fstab
}

apply_swap() {
    if [[ -e /swapfile ]] && ! made /swapfile; then
        fail '/swapfile was not made by forge: ask for no swap, or remove it'
    fi
    remember /swapfile
    swapoff /swapfile 2>/dev/null || true
    rm -f /swapfile
    fallocate -l "${swap_mb}M" /swapfile.forge-new ||
        dd if=/dev/zero of=/swapfile.forge-new bs=1M count="$swap_mb" status=none
    chmod 0600 /swapfile.forge-new
    mkswap --quiet /swapfile.forge-new
    mv -T /swapfile.forge-new /swapfile
    swapon /swapfile
    edit /etc/fstab add_swap
}

add_swap() {
    sed '/^\/swapfile /d'
    echo '/swapfile none swap sw 0 0'
}
