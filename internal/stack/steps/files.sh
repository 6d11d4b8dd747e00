# Files and services.

put() { # put PATH [MODE]: writes its input beside the file, then renames it
    cat >"$1.forge-new"
    chmod "${2:-0644}" "$1.forge-new"
    swap_in "$1"
}

edit() { # edit PATH COMMAND [ARGUMENT...]: the command rewrites the file
    local path=$1
    shift
    "$@" <"$path" >"$path.forge-new"
    chown --reference="$path" -- "$path.forge-new"
    chmod --reference="$path" -- "$path.forge-new"
    swap_in "$path"
}

swap_in() { # swap_in PATH: with what was written beside it
    remember "$1"
    install -d "$record/wrote${1%/*}"
    sha256sum <"$1.forge-new" >"$record/wrote$1"
    mv -T -- "$1.forge-new" "$1"
}

directory() { # directory PATH
    local path=$1 missing=()
    while [[ ! -d $path ]]; do
        missing=("$path" "${missing[@]}")
        path=${path%/*}
    done
    for path in "${missing[@]}"; do
        remember "$path"
    done
    mkdir -p -- "$1"
}

# What is made is listed, and what is changed is kept as it was before, for the
# day on which a server is given back.
readonly record=/var/lib/forge/stack

remember() { # remember PATH: call it before the first change
    ! remembered "$1" || return 0
    install -d -m 0711 /var/lib/forge
    install -d -m 0700 "$record"
    if [[ -e $1 || -L $1 ]]; then
        install -d "$record/before${1%/*}"
        cp -a -- "$1" "$record/before$1.forge-new"
        mv -T -- "$record/before$1.forge-new" "$record/before$1"
    else
        printf '%s\n' "$1" >>"$record/made"
    fi
}

remembered() { # remembered WHAT
    [[ -e $record/before$1 || -L $record/before$1 ]] || made "$1"
}

made() { # made WHAT
    grep -qxF -- "$1" "$record/made" 2>/dev/null
}

holds() { # holds PATH: the file is what the input says
    cmp -s - "$1"
}

owned() { # owned PATH OWNER:GROUP MODE
    [[ $(stat -c '%U:%G %a' -- "$1" 2>/dev/null) == "$2 $3" ]]
}

running() { # running UNIT...: now, and after a boot
    systemctl is-enabled --quiet "$@" 2>/dev/null && systemctl is-active --quiet "$@"
}

start() { # start UNIT...
    systemctl enable --quiet "$@"
    systemctl start "$@"
}

loopback_only() { # loopback_only PORT: somebody listens, on loopback alone
    local addresses
    addresses=$(ss -Hltn "sport = :$1" | awk '{ print $4 }') &&
        [[ -n $addresses ]] &&
        ! grep -qvE '^(127\.|\[::1\]|\[::ffff:127\.)' <<<"$addresses"
}
