# The proxy by which every login reaches the web. The steps have it in their
# environment already.

readonly environment=/etc/environment

check_proxy() {
    environment_with_proxy | holds "$environment"
}

apply_proxy() {
    environment_with_proxy | put "$environment"
}

environment_with_proxy() {
    environment_without_proxy
    printf '%s\n' '# forge: begin' "${proxy_environment[@]}" '# forge: end'
}

environment_without_proxy() {
    [[ ! -e $environment ]] ||
        awk '/^# forge: begin$/ { ours = 1 } !ours { print } /^# forge: end$/ { ours = 0 }' "$environment"
}
