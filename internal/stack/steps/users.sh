# The user forge, whom sites may share; no sudo, no password. Users do not see
# each other's homes, and have no cron, at, or processes that outlive a logout.

readonly polkit_rule=/etc/polkit-1/rules.d/00-forge.rules
readonly polkit_old=/etc/polkit-1/localauthority/50-local.d/forge.pkla # before polkit 0.106

no_linger() {
    cat <<'CONF'
polkit.addRule(function (action, subject) {
    if (action.id == "org.freedesktop.login1.set-self-linger" && subject.user != "root") {
        return polkit.Result.NO;
    }
});
CONF
}

no_linger_old() {
    cat <<'CONF'
[No linger]
Identity=unix-user:*
Action=org.freedesktop.login1.set-self-linger
ResultAny=no
ResultInactive=no
ResultActive=no
CONF
}

# systemd-tmpfiles lets everybody list /home again at each boot.
readonly home_conf=/etc/tmpfiles.d/forge-home.conf

home_conf() {
    printf '%s\n' '# Written by forge.' 'z /home 0711 root root'
}

readonly logind_conf=/etc/systemd/logind.conf.d/zz-forge.conf

# logind_conf spares those who run forge's own commands, which may last longer
# than a connection.
logind_conf() {
    printf '%s\n' '# Written by forge.' '[Login]' KillUserProcesses=yes KillOnlyUsers= KillExcludeUsers=root
    [[ $login_user == root ]] || printf 'KillExcludeUsers=%s\n' "$login_user"
}

logind_kills() { # sessions are logind's, and it ends what is left in them
    grep -qE '^session[[:space:]].*pam_systemd\.so' /etc/pam.d/common-session &&
        [[ $(logind_property KillUserProcesses) == 'b true' ]] &&
        [[ $(logind_property KillOnlyUsers) == 'as 0' ]] &&
        logind_property KillExcludeUsers | grep -qF -- " \"$login_user\""
}

logind_property() {
    busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager "$1"
}

check_users() {
    [[ $(passwd --status forge 2>/dev/null) == 'forge L '* ]] &&
        owned /home/forge forge:www-data 710 &&
        owned /home root:root 711 &&
        home_conf | holds "$home_conf" &&
        owned /var/lib/forge root:root 711 &&
        echo root | holds /etc/cron.allow &&
        echo root | holds /etc/at.allow &&
        no_linger | holds "$polkit_rule" &&
        no_linger_old | holds "$polkit_old" &&
        logind_conf | holds "$logind_conf" &&
        logind_kills
}

apply_users() {
    if ! id forge >/dev/null 2>&1; then
        remember 'user forge'
        useradd --create-home --shell /bin/bash forge
    elif ! made 'user forge'; then
        fail 'the user forge was not made by forge: rename it'
    fi
    passwd --quiet --lock forge
    chown forge:www-data /home/forge
    chmod 0710 /home/forge
    home_conf | put "$home_conf"
    chmod 0711 /home
    install -d -m 0711 /var/lib/forge
    echo root | put /etc/cron.allow
    echo root | put /etc/at.allow
    directory "${polkit_rule%/*}"
    directory "${polkit_old%/*}"
    no_linger | put "$polkit_rule"
    no_linger_old | put "$polkit_old"
    apt_install libpam-systemd
    directory "${logind_conf%/*}"
    logind_conf | put "$logind_conf"
    systemctl start systemd-logind
    systemctl kill --signal=HUP systemd-logind # a reload: sessions stay, and it takes a moment
    retry 3 logind_kills
}
