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

# goes: a user is forge's own, as that of a site.
goes() { # goes USER
    [[ $1 == forge ]] || grep -qsxF -- "user $1" /etc/forge/sites/*/made
}

without_control_key() { # of its input
    grep -avF -- "$blob" || [[ $? == 1 ]] # there may be no other line
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
    edit "$keys/$login_user" without_control_key
fi
if made "${sshd_conf%/*}"; then
    rmdir --ignore-fail-on-non-empty -- "${sshd_conf%/*}"
fi
rm -rf -- /etc/forge /var/lib/forge /run/forge
echo 'gave the login back'
