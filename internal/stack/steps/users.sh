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

check_users() {
    [[ $(passwd --status forge 2>/dev/null) == 'forge L '* ]] &&
        owned /home/forge forge:www-data 710 &&
        owned /home root:root 711 &&
        owned /var/lib/forge root:root 711 &&
        echo root | holds /etc/cron.allow &&
        echo root | holds /etc/at.allow &&
        no_linger | holds "$polkit_rule" &&
        no_linger_old | holds "$polkit_old"
}

apply_users() {
    id forge >/dev/null 2>&1 || useradd --create-home --shell /bin/bash forge
    passwd --quiet --lock forge
    chown forge:www-data /home/forge
    chmod 0710 /home/forge
    chmod 0711 /home
    install -d -m 0711 /var/lib/forge
    echo root | put /etc/cron.allow
    echo root | put /etc/at.allow
    install -d /etc/polkit-1 "${polkit_rule%/*}" "${polkit_old%/*/*}" "${polkit_old%/*}"
    no_linger | put "$polkit_rule"
    no_linger_old | put "$polkit_old"
}
