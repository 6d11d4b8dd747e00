# SSH, HTTP and HTTPS come in, and nothing else. The ports of SSH are those
# that sshd is set to listen on and the configured one, allowed before the
# firewall is enabled. What processes of sshd listen on does not count: users
# forward ports of their own.

ssh_ports() {
    { echo "$ssh_port" && sshd_ports && socket_ports; } | sort -un
}

sshd_ports() {
    sshd_effective | sed -nE 's/^listenaddress .*:([0-9]+)( .*)?$/\1/p'
}

socket_ports() { # where systemd listens for sshd
    ! systemctl is-active --quiet ssh.socket ||
        systemctl show --property=Listen ssh.socket | sed -nE 's/.*[=:]([0-9]+) \(Stream\)$/\1/p'
}

# ufw lists a rule twice, for IPv4 and IPv6.
allowed() { # allowed LIST PORT
    grep -qE "^ufw allow $2/tcp( |$)" <<<"$1"
}

all_allowed() {
    local rules ports port
    rules=$(ufw show added) && ports=$(ssh_ports) || return 1
    for port in $ports 80 443; do
        allowed "$rules" "$port" || return 1
    done
}

check_firewall() {
    local status
    status=$(LC_ALL=C ufw status verbose) &&
        grep -qx 'Status: active' <<<"$status" &&
        grep -q '^Default: deny (incoming), allow (outgoing)' <<<"$status" &&
        grep -qE '^[0-9]+/tcp \(v6\)' <<<"$status" &&
        all_allowed &&
        systemctl is-enabled --quiet ufw
}

apply_firewall() {
    local port ports
    apt_install ufw
    if ! grep -qx IPV6=yes /etc/default/ufw; then # it takes no rules for IPv6 while it is active
        ufw disable
        edit /etc/default/ufw sed 's/^IPV6=.*/IPV6=yes/'
    fi
    ports=$(ssh_ports)
    for port in $ports 80 443; do
        ufw allow "$port/tcp"
    done
    all_allowed || fail 'the port of SSH is not allowed: the firewall stays as it is'
    ufw default deny incoming
    ufw default allow outgoing
    ufw --force enable
    start ufw
}
