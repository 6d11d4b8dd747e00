# Security updates every day, and no others.

readonly unattended_conf=/etc/apt/apt.conf.d/52forge-unattended-upgrades

unattended_conf() {
    cat <<'CONF'
// Written by forge.
#clear Unattended-Upgrade::Allowed-Origins;
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern {
	"origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
	"origin=Ubuntu,archive=${distro_codename}-security";
};
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
CONF
}

check_unattended() {
    installed unattended-upgrades && unattended_conf | holds "$unattended_conf" &&
        systemctl is-enabled --quiet apt-daily.timer apt-daily-upgrade.timer
}

apply_unattended() {
    apt_install unattended-upgrades
    unattended_conf | put "$unattended_conf"
    systemctl enable --quiet --now apt-daily.timer apt-daily-upgrade.timer
}
