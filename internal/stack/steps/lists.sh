check_lists() {
    lists_fresh
}

apply_lists() {
    apt_update
}
