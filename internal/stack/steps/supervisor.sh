check_supervisor() {
    installed supervisor && running supervisor
}

apply_supervisor() {
    apt_install supervisor
    start supervisor
}
