# Packages. The lists are fetched again when they are a day old or older than
# a file that names a source.

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a
readonly lists_stamp=/var/lib/forge/apt-lists

apt_get() {
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
        -o APT::Install-Recommends=false -o APT::Update::Error-Mode=any \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# The lock of the lists has no timeout of its own, and the timers of a new
# machine hold it for a while.
apt_update() {
    retry 6 apt_get update
    install -d -m 0711 /var/lib/forge
    : >"$lists_stamp"
}

apt_install() {
    retry 3 apt_get install "$@"
}

lists_fresh() {
    [[ -n $(find "$lists_stamp" -mmin -1440 2>/dev/null) ]] &&
        [[ -z $(find /etc/apt/sources.list /etc/apt/sources.list.d -newer "$lists_stamp" 2>/dev/null) ]]
}

# Some names are provided by packages of another name.
installed() { # installed PACKAGE...
    local have package
    have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}, ${Provides}\n' |
        sed -n 's/^ii  *//p' | tr ',' '\n' | sed 's/^ *//; s/[ (:].*//')
    for package in "$@"; do
        grep -qxF -- "$package" <<<"$have" || return 1
    done
}

dpkg_whole() {
    [[ -z $(dpkg --audit) && -z $(find /var/lib/dpkg/updates -type f) ]]
}
