# Passwords come in files of the run's directory and go on by standard input
# and files of mode 0600: never by an argument or a variable.

readonly client_file=/run/forge/client

need_password() { # need_password FILE: fails before anything is changed
    [[ -s ${FORGE_RUN_DIR:?is not set}/$1 ]] || fail "the file $FORGE_RUN_DIR/$1 is missing"
    password "$1" >/dev/null
}

# Says the password, and refuses one that would need quotes.
password() { # password FILE
    grep -xE -m 1 '[A-Za-z0-9_-]{8,128}' "$FORGE_RUN_DIR/$1" ||
        fail "the password in $1 must be 8 to 128 letters, digits, _ or -"
}

client_file() { # client_file FORMAT: writes the database password where %s stands
    install -d -m 0700 /run/forge
    (umask 077 && { printf '%s' "${1%%%s*}" && password db_password | tr -d '\n' && printf '%s\n' "${1#*%s}"; } >"$client_file")
}
