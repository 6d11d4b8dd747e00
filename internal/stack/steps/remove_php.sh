# Takes a version of PHP away that no site uses, with nothing but its own
# packages.

check_remove_php() { # check_remove_php VERSION [DEFAULT]
    [[ -z $(php_packages "$1") && ! -e /etc/php/$1 ]] &&
        { [[ -z ${2-} ]] || [[ $(readlink -f /usr/bin/php) == "/usr/bin/php$2" ]]; }
}

apply_remove_php() {
    local pool packages plan others
    for pool in "/etc/php/$1/fpm/pool.d"/forge-*.conf; do
        [[ ! -e $pool ]] || fail "a site still uses PHP $1: $pool"
    done
    packages=$(php_packages "$1")
    if [[ -n $packages ]]; then
        # shellcheck disable=SC2086 # names of packages
        plan=$(apt_get --simulate purge $packages) || fail "what the removal of PHP $1 takes along cannot be told"
        others=$(awk '$1 == "Purg" || $1 == "Remv" { print $2 }' <<<"$plan" |
            grep -vxF -- "$packages" | grep -v '^php-' || true)
        [[ -z $others ]] || fail "these packages need PHP $1: ${others//$'\n'/ }"
        # shellcheck disable=SC2086
        retry 3 apt_get purge $packages
    fi
    # Of the configuration just the pools are forge's; what others put there
    # went with the packages, or is theirs.
    rm -f -- "/etc/php/$1/fpm/pool.d/zz-forge.conf"
    if [[ -d /etc/php/$1 ]]; then
        find "/etc/php/$1" -depth -type d -empty -delete
    fi
    [[ ! -e /etc/php/$1 ]] || fail "/etc/php/$1 holds files that are nobody's packages': move them away"
    [[ -z ${2-} ]] || update-alternatives --set php "/usr/bin/php$2"
}

# php_packages prints the packages of a version, also those that are of it by
# what they provide, and those of which just the configuration is left.
php_packages() { # php_packages VERSION
    # shellcheck disable=SC2016 # of dpkg-query
    dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Provides}\n' 2>/dev/null | awk -F '|' -v version="$1" '
        $1 ~ /^[hipr][^n]/ {
            name = $2
            if (name == "php" version || index(name, "php" version "-") == 1 ||
                name == "libapache2-mod-php" version || name == "libphp" version "-embed" ||
                index(" " $3, " php" version "-")) print name
        }'
}
