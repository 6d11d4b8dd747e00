# The proxy by which apt fetches packages, also where nobody is logged in.

readonly apt_proxy_conf=/etc/apt/apt.conf.d/90forge-proxy

check_apt_proxy() {
    printf '%s\n' "${apt_proxy[@]}" | holds "$apt_proxy_conf"
}

apply_apt_proxy() {
    printf '%s\n' "${apt_proxy[@]}" | put "$apt_proxy_conf"
}
