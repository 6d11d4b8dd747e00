# PHP as a FastCGI service. Each site has a pool of its own; the pool that comes
# with the package stays, as PHP-FPM does not start without one, but sleeps.

php_pool() {
    cat <<'CONF'
; Written by forge.
[www]
pm = ondemand
pm.max_children = 1
CONF
}

check_php() { # check_php VERSION [default]
    installed "${php_extensions[@]/#/php$1-}" &&
        php_pool | holds "/etc/php/$1/fpm/pool.d/zz-forge.conf" &&
        running "php$1-fpm" &&
        { [[ -z ${2-} ]] || [[ $(readlink -f /usr/bin/php) == "/usr/bin/php$1" ]]; }
}

apply_php() {
    local pool=/etc/php/$1/fpm/pool.d/zz-forge.conf
    apt_install "${php_extensions[@]/#/php$1-}"
    php_pool | put "$pool"
    if ! "php-fpm$1" --test; then
        rm -f -- "$pool"
        fail "PHP-FPM $1 does not take $pool: it was removed"
    fi
    [[ -z ${2-} ]] || update-alternatives --set php "/usr/bin/php$1"
    start "php$1-fpm"
    systemctl reload "php$1-fpm"
}
