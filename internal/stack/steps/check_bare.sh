# Fails where nobody would get in without forge's keys, and changes nothing.

readonly trial=/etc/ssh/sshd_config

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

goes() { false; } # nobody is forge's own

install -d -m 0755 /run/sshd
sshd -t -f "$trial" || die 'what sshd reads cannot be told: mend it, and delete again, or with force'
somebody_gets_in || die "nobody would get in over SSH without forge's keys: put a key of your own into \
~$login_user/.ssh/authorized_keys, and delete again, or with force"
