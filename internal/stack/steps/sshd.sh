# sshd takes keys alone, from files that root owns, so that nobody undoes a
# revoke. The control key is in place before sshd is told where to look.

readonly sshd_conf=/etc/ssh/sshd_config.d/00-forge.conf
readonly keys=/etc/ssh/authorized_keys.d/$login_user
readonly bare_key=${control_key%% forge:*}

sshd_conf() {
    cat <<'CONF'
# Written by forge. The first value that sshd reads counts.
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u
CONF
}

check_sshd() {
    local effective
    owned /etc/ssh/authorized_keys.d root:root 755 &&
        owned "$keys" root:root 644 &&
        has_control_key &&
        sshd_conf | holds "$sshd_conf" &&
        effective=$(sshd_effective) &&
        grep -qx 'passwordauthentication no' <<<"$effective" &&
        grep -qx 'kbdinteractiveauthentication no' <<<"$effective" &&
        grep -qx 'authorizedkeysfile /etc/ssh/authorized_keys.d/%u' <<<"$effective"
}

apply_sshd() {
    id -- "$login_user" >/dev/null || fail "there is no user $login_user"
    directory /etc/ssh/authorized_keys.d
    install -d -o root -g root -m 0755 /etc/ssh/authorized_keys.d /run/sshd
    if ! has_control_key; then
        { printf '%s\n' "$control_key" && kept_keys; } | put "$keys"
    fi
    chown root:root "$keys"
    chmod 0644 "$keys"

    grep -qiE '^[[:space:]]*Include[[:space:]].*/etc/ssh/sshd_config\.d/\*\.conf' /etc/ssh/sshd_config ||
        fail '/etc/ssh/sshd_config does not include /etc/ssh/sshd_config.d/*.conf'
    swap_sshd_conf
    systemctl try-reload-or-restart ssh
}

# The keys that were there before: of the file itself, or at the first time, if
# asked for, of the user's home, read as that user.
kept_keys() {
    if [[ -e $keys ]]; then
        cat -- "$keys"
    elif [[ -n $keep_keys ]]; then
        # shellcheck disable=SC2016 # expanded by the user's shell
        runuser -u "$login_user" -- sh -c 'cat -- ~/.ssh/authorized_keys 2>/dev/null || true' |
            grep -vxF -e "$control_key" -e "$bare_key" || true
    fi
}

# With its mark, or as it was written before there were marks.
has_control_key() {
    grep -qsxF -e "$control_key" -e "$bare_key" -- "$keys"
}

# Tried beside before it is swapped in, and again in its place.
swap_sshd_conf() {
    local old=$sshd_conf.forge-old trial=/run/forge/sshd_config
    directory /etc/ssh/sshd_config.d
    remember "$sshd_conf"
    sshd_conf >"$sshd_conf.forge-new"
    { echo "Include $sshd_conf.forge-new" && cat /etc/ssh/sshd_config; } >"$trial"
    sshd -t -f "$trial" || fail "sshd does not take $sshd_conf"
    rm -f -- "$trial" "$old"
    [[ ! -e $sshd_conf ]] || cp -a -- "$sshd_conf" "$old"
    mv -T -- "$sshd_conf.forge-new" "$sshd_conf"
    if ! sshd -t; then
        if [[ -e $old ]]; then mv -T -- "$old" "$sshd_conf"; else rm -f -- "$sshd_conf"; fi
        fail "sshd does not take $sshd_conf: it was put back as it was"
    fi
    rm -f -- "$old"
}

sshd_effective() {
    install -d -m 0755 /run/sshd
    sshd -T -C "user=$login_user,host=localhost,addr=127.0.0.1"
}
