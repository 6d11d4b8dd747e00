# Root alone reaches the cloud's metadata, which holds credentials. A table of
# its own outlives whatever ufw does. DNS and NTP stay open, as some clouds
# serve them at the same address.

readonly metadata_rules=/etc/forge/metadata.nft
readonly metadata_unit=/etc/systemd/system/forge-metadata.service

metadata_rules() {
    cat <<'CONF'
table inet forge_metadata
delete table inet forge_metadata
table inet forge_metadata {
	chain output {
		type filter hook output priority filter; policy accept;
		meta skuid != 0 ip daddr 169.254.169.254 jump others
		meta skuid != 0 ip6 daddr fd00:ec2::254 jump others
	}
	chain others {
		udp dport { 53, 123 } accept
		tcp dport 53 accept
		reject
	}
}
CONF
}

metadata_unit() {
    cat <<CONF
[Unit]
Description=Keep users from the metadata of the cloud
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f $metadata_rules

[Install]
WantedBy=sysinit.target
CONF
}

check_metadata() {
    metadata_rules | holds "$metadata_rules" &&
        metadata_unit | holds "$metadata_unit" &&
        running forge-metadata.service &&
        nft list chain inet forge_metadata others >/dev/null 2>&1
}

apply_metadata() {
    apt_install nftables
    directory /etc/forge
    metadata_rules | put "$metadata_rules"
    nft --check --file "$metadata_rules"
    metadata_unit | put "$metadata_unit"
    systemctl daemon-reload
    systemctl enable --quiet forge-metadata.service
    systemctl restart forge-metadata.service
}
