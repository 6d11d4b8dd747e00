# Redis on loopback, in protected mode.

check_redis() {
    installed redis-server && running redis-server && loopback_only 6379 &&
        grep -qx 'protected-mode yes' /etc/redis/redis.conf
}

apply_redis() {
    apt_install redis-server
    edit /etc/redis/redis.conf sed -E \
        's/^bind .*/bind 127.0.0.1 -::1/; s/^protected-mode .*/protected-mode yes/'
    systemctl enable --quiet redis-server
    systemctl restart redis-server
}
