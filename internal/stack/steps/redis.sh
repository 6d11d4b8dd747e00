# Redis on loopback, with a password: every user of the server gets that far.
# Its directory is that of the user redis, who therefore does the writing.

need_password redis_password

readonly redis_conf=/etc/redis/redis.conf

check_redis() {
    installed redis-server && running redis-server && loopback_only 6379 &&
        owned "$redis_conf" redis:redis 640 &&
        grep -qx 'protected-mode yes' "$redis_conf" &&
        grep -qxF -f <(redis_password) "$redis_conf" &&
        redis_locked
}

apply_redis() {
    apt_install redis-server
    as_redis rm -f -- "$redis_conf.forge-new"
    (umask 027 && redis_settings | as_redis tee -- "$redis_conf.forge-new" >/dev/null)
    as_redis mv -T -- "$redis_conf.forge-new" "$redis_conf"
    systemctl enable --quiet redis-server
    systemctl restart redis-server
}

as_redis() {
    runuser -u redis -- "$@"
}

redis_settings() {
    redis_password
    as_redis cat -- "$redis_conf" | sed -E 's/^bind .*/bind 127.0.0.1/
        s/^protected-mode .*/protected-mode yes/
        /^[[:space:]]*requirepass[[:space:]]/Id'
}

redis_password() {
    printf 'requirepass ' && password redis_password
}

redis_locked() { # nobody gets in without the password, and forge with it
    [[ $(redis-cli PING 2>&1) == NOAUTH* ]] &&
        [[ $({ printf 'AUTH ' && password redis_password && echo PING; } | redis-cli 2>&1) == $'OK\nPONG' ]]
}
