# Who gets in over SSH by what sshd reads in $trial, without the lines that have
# one of the words in $blob.

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
    ! goes "$1" || return 1
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
