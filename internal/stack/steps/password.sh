# The password of the database user forge comes in a file and goes on by
# standard input and files of mode 0600: never by an argument or a variable.

readonly database_password=${FORGE_RUN_DIR:?is not set}/db_password
[[ -s $database_password ]] || fail "the file $database_password is missing"

readonly client_file=/run/forge/client

# Says the password, and refuses one that would need quotes.
password() {
    grep -xE -m 1 '[A-Za-z0-9_-]{8,128}' "$database_password" ||
        fail 'the database password must be 8 to 128 letters, digits, _ or -'
}

client_file() { # client_file FORMAT: writes the password where %s stands
    install -d -m 0700 /run/forge
    (umask 077 && { printf '%s' "${1%%%s*}" && password | tr -d '\n' && printf '%s\n' "${1#*%s}"; } >"$client_file")
}
