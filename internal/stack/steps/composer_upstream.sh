# Composer by its own installer, whose checksum comes from another host.

check_composer_upstream() {
    composer_upstream --version >/dev/null 2>&1
}

apply_composer_upstream() {
    local installer=/run/forge/composer-setup.php expected
    expected=$(retry 3 curl -fsSL --max-time 60 https://composer.github.io/installer.sig)
    retry 3 curl -fsSL --max-time 60 -o "$installer" https://getcomposer.org/installer
    sha384sum --check --quiet <<<"$expected  $installer" || fail "the installer of Composer is not the one that it signed"
    php "$installer" --quiet --install-dir=/run/forge --filename=composer
    put /usr/local/bin/composer 0755 </run/forge/composer
    rm -f -- "$installer" /run/forge/composer
}

composer_upstream() {
    COMPOSER_ALLOW_SUPERUSER=1 php /usr/local/bin/composer --no-interaction "$@"
}
