# Takes away what the steps made, and puts back what they changed. Packages, the
# settings of databases and of the firewall, the sources of packages, the time
# zone and the modes of directories stay. Whatever is done already is passed
# over, so that it can be called again.
#
# The login is the next script's, as this one would be the last otherwise.

stays() { # stays PATH
    case $1 in
    /etc/mysql/* | /etc/default/ufw | /etc/timezone | /etc/apt/sources.list.d/forge-* | /etc/apt/keyrings*) ;;
    /etc/ssh/* | /etc/forge) ;; # see remove_login
    /etc/fstab | /etc/environment | /swapfile) ;; # see below
    /*) return 1 ;;
    esac # and what is no path
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# put_back restores a file, unless somebody else has changed it since.
put_back() { # put_back PATH
    local old=$record/before$1
    if [[ ! -e $1 && ! -L $1 && ! -e $record/wrote$1 ]] ||
        [[ -e $1 && $(sha256sum <"$1") == "$(cat -- "$record/wrote$1" 2>/dev/null)" ]]; then
        cp -a -- "$old" "$1.forge-new"
        mv -T -- "$1.forge-new" "$1"
        echo "put $1 back as it was"
    elif ! cmp -s -- "$old" "$1"; then
        echo "$1 was changed since, and stays as it is"
    fi
}

# take_away removes what was made, unless somebody else has changed it since.
take_away() { # take_away PATH
    if [[ -d $1 && ! -L $1 ]]; then
        rmdir --ignore-fail-on-non-empty -- "$1"
    elif [[ -f $1 && -e $record/wrote$1 && $(sha256sum <"$1") != "$(cat -- "$record/wrote$1")" ]]; then
        echo "$1 was changed since, and stays as it is"
    elif [[ -e $1 || -L $1 ]]; then
        rm -f -- "$1"
        echo "removed $1"
    fi
}

remove_user() {
    local tries=100 uid
    uid=$(id -u forge 2>/dev/null) || return 0
    ((uid >= 1000)) || die 'forge became a user of the system'
    usermod --expiredate 1 forge
    until idle; do
        ((tries-- > 0)) || die 'processes of forge do not end'
        sleep 0.05
    done
    rm -rf --one-file-system -- /home/forge
    find /tmp /var/tmp /dev/shm -xdev -uid "$uid" -delete 2>/dev/null || true
    userdel forge
    echo 'removed the user forge'
}

# The path of the metadata and of nginx's default host are taken before the
# files are: a service does not outlive its unit, nor nginx a bad configuration.
readonly nginx_old=/run/forge/nginx

undo() {
    local path
    if made /etc/systemd/system/forge-metadata.service && [[ -e /etc/systemd/system/forge-metadata.service ]]; then
        systemctl disable --quiet --now forge-metadata.service
        nft delete table inet forge_metadata 2>/dev/null || true
    fi
    rm -rf "$nginx_old"
    if [[ -d /etc/nginx ]]; then
        cp -a /etc/nginx "$nginx_old"
    fi

    if [[ -d $record/before ]]; then
        while IFS= read -r path; do
            stays "$path" || put_back "$path"
        done < <(cd "$record/before" && find . \( -type f -o -type l \) ! -name '*.forge-new' | sed 's/^\.//')
    fi
    if [[ -e $record/made ]]; then
        while IFS= read -r path; do
            stays "$path" || take_away "$path"
        done < <(tac "$record/made")
    fi

    if made /swapfile && [[ -e /swapfile ]]; then
        swapoff /swapfile 2>/dev/null || true
        sed -i '/^\/swapfile /d' /etc/fstab
        rm -f /swapfile
        echo 'removed the swap file'
    fi
    if grep -qx '# forge: begin' /etc/environment 2>/dev/null; then
        sed -i '/^# forge: begin$/,/^# forge: end$/d' /etc/environment
        [[ -s /etc/environment ]] || ! made /etc/environment || rm -f /etc/environment
        echo 'removed the proxy from /etc/environment'
    fi
    if made 'user forge'; then
        remove_user
    fi
}

# The services that read what is gone go on without it.
take_up() {
    local fpm
    systemctl daemon-reload
    if systemctl is-active --quiet nginx; then
        if ! nginx -t -q; then
            cp -a "$nginx_old/." /etc/nginx
            die 'nginx refuses to do without the default host: its configuration was put back'
        fi
        systemctl reload nginx
    fi
    rm -rf "$nginx_old"
    for fpm in /etc/php/*/fpm; do
        fpm=${fpm%/fpm}
        fpm=${fpm##*/}
        if systemctl is-active --quiet "php$fpm-fpm" && "php-fpm$fpm" -t >/dev/null 2>&1; then
            systemctl reload "php$fpm-fpm"
        fi
    done
    systemctl kill --signal=HUP systemd-logind 2>/dev/null || true
}

if [[ -e $record ]]; then
    install -d -m 0700 /run/forge
    undo
    take_up
fi
