# Downloads the packages of all steps at once.

check_download() {
    local missing
    missing=$(apt_get --print-uris --download-only install "${packages[@]}") &&
        ! grep -q "^'" <<<"$missing"
}

apply_download() {
    apt_install --download-only "${packages[@]}"
}
