# The distribution's own sources name the mirror; what they said before stays
# beside them, in files that apt ignores. Sources of others are left alone.

distribution_sources() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/{debian,ubuntu}.{list,sources}; do
        [[ ! -s $file ]] || echo "$file"
    done
}

check_mirror() {
    local file found=
    while read -r file; do
        mirrored "$file" | holds "$file" || return 1
        ! grep -qF -- "$mirror" "$file" || found=1
    done < <(distribution_sources)
    [[ -n $found ]]
}

apply_mirror() {
    local file
    while read -r file; do
        if ! mirrored "$file" | holds "$file"; then
            if [[ ! -e $file.forge.save ]]; then
                remember "$file.forge.save"
                cp -a -- "$file" "$file.forge.save"
            fi
            edit "$file" mirrored "$file"
        fi
    done < <(distribution_sources)
    check_mirror || fail "apt's sources name no archive of $codename whose place the mirror could take"
}

mirrored() { # mirrored FILE: what it says, with the mirror in it
    if [[ $1 == *.sources ]]; then
        awk "$mirror_awk"'
            BEGIN { RS = ""; FS = "\n"; ORS = "" }
            {
                field = ""; suites = ""
                for (i = 1; i <= NF; i++) {
                    if ($i ~ /^#/) continue
                    if ($i ~ /^[^[:space:]]+:/) { field = tolower($i); sub(/:.*/, "", field) }
                    if (field == "suites") { line = $i; sub(/^[^:[:space:]]+:/, "", line); suites = suites " " line }
                }
                uri = place(suites)
                print (NR > 1 ? "\n" : "")
                field = ""
                for (i = 1; i <= NF; i++) {
                    if ($i !~ /^#/ && $i ~ /^[^[:space:]]+:/) { field = tolower($i); sub(/:.*/, "", field); first = 1 } else first = 0
                    if (uri == "" || field != "uris" || $i ~ /^#/) print $i "\n"
                    else if (first) print "URIs: " uri "\n"
                }
            }' mirror="$mirror" security="$security_mirror" codename="$codename" "$1"
    else
        awk "$mirror_awk"'
            $1 == "deb" || $1 == "deb-src" {
                i = 2
                if ($2 ~ /^\[/) { while (i < NF && $i !~ /\]$/) i++; i++ }
                uri = place($(i + 1))
                if (uri != "") $i = uri
            }
            { print }' mirror="$mirror" security="$security_mirror" codename="$codename" "$1"
    fi
}

# place returns the URI of an entry with these suites, and nothing for one that
# is not of the distribution.
# shellcheck disable=SC2016 # of awk
readonly mirror_awk='
    function place(suites, all, n, i, ours, secure) {
        n = split(suites, all, " ")
        for (i = 1; i <= n; i++) {
            if (all[i] == codename "-security" || all[i] == codename "/updates") secure++
            else if (all[i] != codename && all[i] != codename "-updates" && all[i] != codename "-backports") return ""
            ours++
        }
        return ours == 0 ? "" : secure == ours ? security : mirror
    }'
