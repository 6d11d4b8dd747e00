# The tools that every step and every site needs.

check_base() {
    installed "${base_packages[@]}"
}

apply_base() {
    apt_install "${base_packages[@]}"
}
