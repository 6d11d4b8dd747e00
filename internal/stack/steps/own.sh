# Steps of the embedder's own, each in a bash of its own: it shares neither
# variables nor functions with this script, and does not learn where the files
# with the passwords are. The script is in no argument, as it may hold secrets.

readonly own_file=/run/forge/own
own_applied=

check_own() { # check_own NUMBER
    if [[ -n ${own_checks[$1]} ]]; then
        own_bash "${own_checks[$1]}"
    else
        [[ $own_applied == "$1" ]]
    fi
}

apply_own() { # apply_own NUMBER
    own_bash "${own_scripts[$1]}"
    own_applied=$1
}

own_bash() { # own_bash SCRIPT
    local status=0
    install -d -m 0700 /run/forge
    (umask 077 && printf '%s\n' "$1" >"$own_file")
    (cd /root && exec env -u FORGE_RUN_DIR bash -euo pipefail "$own_file") </dev/null || status=$?
    rm -f -- "$own_file"
    return "$status"
}
