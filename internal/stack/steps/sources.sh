# Upstream's package sources, as lines of "name|key|ending of the key|source".
# A key is fetched over HTTPS and trusted for its own source alone; apt tells
# the two formats of keys by the ending.

check_sources() {
    local name url ending source
    while IFS='|' read -r name url ending source; do
        [[ -s /etc/apt/keyrings/forge-$name.$ending ]] || return 1
        source_list "$name" "$ending" "$source" |
            holds "/etc/apt/sources.list.d/forge-$name.list" || return 1
    done < <(printf '%s\n' "${sources[@]}")
    lists_fresh
}

apply_sources() {
    local name url ending source key
    apt_install ca-certificates curl
    install -d -m 0755 /etc/apt/keyrings
    while IFS='|' read -r name url ending source; do
        key=/etc/apt/keyrings/forge-$name.$ending
        retry 3 curl -fsSL --max-time 60 -o "$key.forge-new" -- "$url"
        chmod 0644 "$key.forge-new"
        mv -T -- "$key.forge-new" "$key"
        source_list "$name" "$ending" "$source" | put "/etc/apt/sources.list.d/forge-$name.list"
    done < <(printf '%s\n' "${sources[@]}")
    apt_update
}

source_list() {
    printf 'deb [signed-by=/etc/apt/keyrings/forge-%s.%s] %s\n' "$@"
}
