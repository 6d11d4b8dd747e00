check_composer() {
    installed composer
}

apply_composer() {
    apt_install composer
}
