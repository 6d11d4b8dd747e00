# Files and services.

put() { # put PATH [MODE]: writes its input beside the file, then renames it
    cat >"$1.forge-new"
    chmod "${2:-0644}" "$1.forge-new"
    mv -T -- "$1.forge-new" "$1"
}

edit() { # edit PATH COMMAND [ARGUMENT...]: the command rewrites the file
    local path=$1
    shift
    "$@" <"$path" >"$path.forge-new"
    chown --reference="$path" -- "$path.forge-new"
    chmod --reference="$path" -- "$path.forge-new"
    mv -T -- "$path.forge-new" "$path"
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
