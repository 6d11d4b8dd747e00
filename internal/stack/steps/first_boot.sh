# Waits for cloud-init, which installs packages and keys of its own. It may
# hang, and then the locks of apt decide.

cloud_init_given_up=

check_first_boot() {
    ! command -v cloud-init >/dev/null ||
        [[ -e /run/cloud-init/result.json || -e /etc/cloud/cloud-init.disabled ||
            -e /run/cloud-init/disabled || -n $cloud_init_given_up ]]
}

apply_first_boot() {
    local status=0
    timeout 300 cloud-init status --wait >/dev/null || status=$?
    case $status in
        0 | 2) ;; # 2 is a recoverable error
        124) echo 'cloud-init has not ended in 300 s: going on' ;;
        *) echo "cloud-init ended with status $status: going on" ;;
    esac
    cloud_init_given_up=yes
}
