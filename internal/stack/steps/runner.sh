# Runs the steps: says which is next, skips what holds already, checks what was
# done. A step that began and did not end is applied again even where its check
# holds, as a file may have changed without the reload that belongs to it.

readonly begun=/run/forge/steps
number=0
name='start'

step() { # step NAME FUNCTION [ARGUMENT...]
    local function=$2 mark began=$SECONDS
    mark=$begun/$(printf '%s-' "${@:2}")
    name=$1
    number=$((number + 1))
    shift 2
    printf 'step %d of %d: %s\n' "$number" "$steps" "$name"
    if [[ ! -e $mark ]] && "check_$function" "$@"; then
        echo 'already done'
        return
    fi
    install -d -m 0700 /run/forge "$begun"
    : >"$mark"
    "apply_$function" "$@"
    if ! "check_$function" "$@"; then
        echo "$name was applied, but its check does not hold:" >&2
        # Nothing of the embedder's own scripts is shown.
        if [[ $function == own ]] || ! (set -x && "check_$function" "$@"); then
            exit 1
        fi
    fi
    rm -f -- "$mark"
    printf 'done in %d s\n' "$((SECONDS - began))"
}

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

retry() { # retry TIMES COMMAND [ARGUMENT...]
    local left=$1 pause=5
    shift
    until "$@"; do
        left=$((left - 1))
        ((left > 0)) || return 1
        printf 'trying again in %d s\n' "$pause"
        sleep "$pause"
        pause=$((pause * 2))
    done
}

report_failure() {
    local status=$?
    ((status == 0)) ||
        printf 'step %d of %d failed with exit status %d: %s\n' "$number" "$steps" "$status" "$name" >&2
}
trap report_failure EXIT
