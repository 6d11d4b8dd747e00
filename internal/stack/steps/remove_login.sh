# Gives the login back: sshd reads the keys in the homes again, and forge's own
# no longer counts. Nothing is changed where that would let nobody in, nor where
# mode is check. What comes after the reload of sshd cannot be repeated with
# forge's key.

readonly sshd_conf=/etc/ssh/sshd_config.d/00-forge.conf
readonly keys=/etc/ssh/authorized_keys.d
readonly trial=/run/forge/sshd_config

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# What sshd reads is tried beside, without forge's part.
try_without() {
    install -d -m 0700 /run/forge
    install -d -m 0755 /run/sshd
    rm -rf -- "$trial" "$trial.d"
    if [[ -d ${sshd_conf%/*} ]]; then
        cp -a -- "${sshd_conf%/*}" "$trial.d"
        rm -f -- "$trial.d/${sshd_conf##*/}"
        [[ ! -e $record/before$sshd_conf ]] || cp -a -- "$record/before$sshd_conf" "$trial.d"
    fi
    sed "s|${sshd_conf%/*}/|$trial.d/|g" /etc/ssh/sshd_config >"$trial"
    sshd -t -f "$trial"
}

effective() { # effective USER KEYWORD
    sshd -T -f "$trial" -C "user=$1,host=localhost,addr=127.0.0.1" | sed -n "s/^$2 //p"
}

# The files with the keys of a user, as sshd finds them.
key_files() { # key_files USER
    local home file
    home=$(getent passwd "$1" | cut -d: -f6)
    for file in $(effective "$1" authorizedkeysfile); do
        file=${file//%u/$1}
        file=${file//%h/$home}
        [[ $file == /* ]] || file=$home/$file
        printf '%s\n' "$file"
    done
}

# has_key: somebody else's key lets a user in, and not just for a command. The
# files are the user's: they are read as the user, and not without end.
has_key() { # has_key USER
    local file others
    for file in $(key_files "$1"); do
        others=$(timeout 5 runuser -u "$1" -- cat -- "$file" 2>/dev/null </dev/null |
            head -c 1M | grep -avF -- "$blob" | grep -aviF 'command=' | grep -acE '^[^#]*(ssh-|ecdsa-|sk-)') || continue
        ((others == 0)) || return 0
    done
    return 1
}

# administers: a user can mend the server, and stays when forge's sites go.
administers() { # administers USER UID
    if (($2 == 0)); then
        [[ $(effective "$1" permitrootlogin) =~ ^(yes|prohibit-password|without-password)$ ]]
        return
    fi
    [[ $1 != forge ]] && ! grep -qsxF -- "user $1" /etc/forge/sites/*/made || return 1
    [[ $1 == "$login_user" || " $(id -nG -- "$1") " =~ \ (sudo|admin|wheel)\  ]]
}

somebody_gets_in() {
    local user uid shell
    if [[ $(effective "$login_user" passwordauthentication) == yes && $(passwd --status "$login_user") == "$login_user P "* ]] &&
        [[ $login_user != root || $(effective root permitrootlogin) == yes ]]; then
        return
    fi
    while IFS=: read -r user _ uid _ _ _ shell; do
        if [[ $shell != */nologin && $shell != */false ]] && administers "$user" "$uid" && has_key "$user"; then
            return
        fi
    done < <(getent passwd)
    return 1
}

remove_control_key() { # of the files of the user, as the user
    local file
    for file in $(key_files "$login_user"); do
        # shellcheck disable=SC2016 # expanded by the user's shell
        runuser -u "$login_user" -- bash -c '
            set -e
            [[ -f $1 ]] && grep -qaF -- "$2" "$1" || exit 0
            umask 077
            grep -avF -- "$2" "$1" >"$1.forge-new" || [[ $? == 1 ]] || { # 2: it was not written
                rm -f -- "$1.forge-new"
                exit 1
            }
            chmod --reference="$1" -- "$1.forge-new"
            mv -T -- "$1.forge-new" "$1"' forge "$file" "$blob"
    done
}

read -r _ blob _ <<<"$control_key"
trap '' HUP PIPE # it goes to its end, also when nobody listens
trap 'rm -rf -- "$trial" "$trial.d"' EXIT

if [[ -e $sshd_conf.forge-old && ! -e $sshd_conf ]]; then # an earlier try did not come to its end
    mv -T -- "$sshd_conf.forge-old" "$sshd_conf"
fi
try_without || die "sshd does not take its configuration without $sshd_conf: mend it, and delete again"
if [[ -e $sshd_conf && $mode != force ]] && ! somebody_gets_in; then
    die "nobody would get in over SSH without forge's key: put a key of your own into \
~$login_user/.ssh/authorized_keys, and delete again, or with force"
fi
[[ $mode != check ]] || exit 0

if [[ -e $sshd_conf ]]; then
    mv -T -- "$sshd_conf" "$sshd_conf.forge-old" # sshd reads it when it is reloaded
    if [[ -e $record/before$sshd_conf ]]; then
        cp -a -- "$record/before$sshd_conf" "$sshd_conf"
    fi
    systemctl try-reload-or-restart ssh
    rm -f -- "$sshd_conf.forge-old"
fi
remove_control_key
if made "$keys"; then
    rm -rf -- "$keys"
elif [[ -f $keys/$login_user ]]; then
    edit "$keys/$login_user" sed "\\|$blob|d"
fi
if made "${sshd_conf%/*}"; then
    rmdir --ignore-fail-on-non-empty -- "${sshd_conf%/*}"
fi
rm -rf -- /etc/forge /var/lib/forge /run/forge
echo 'gave the login back'
