# Refuses a machine that is not what the script was made for, before anything
# is changed.

check_system() {
    [[ $EUID == 0 && -d /run/systemd/system ]] && [[ $(os_release) == "$os" ]]
}

apply_system() {
    [[ $EUID == 0 ]] || fail 'this script must run as root'
    [[ -d /run/systemd/system ]] || fail 'this machine does not run systemd'
    [[ $(os_release) == "$os" ]] || fail "this machine runs $(os_release), not $os"
}

os_release() (
    # shellcheck source=/dev/null
    . /etc/os-release && printf '%s-%s\n' "$ID" "${VERSION_ID:-unknown}"
)
