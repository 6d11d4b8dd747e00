check_timezone() {
    [[ $(readlink -f /etc/localtime) == "$(readlink -f "/usr/share/zoneinfo/$timezone")" ]] &&
        echo "$timezone" | holds /etc/timezone
}

apply_timezone() {
    [[ -f /usr/share/zoneinfo/$timezone ]] || fail "this machine knows no timezone $timezone"
    ln -sfn "/usr/share/zoneinfo/$timezone" /etc/localtime.forge-new
    mv -T /etc/localtime.forge-new /etc/localtime
    echo "$timezone" | put /etc/timezone
}
