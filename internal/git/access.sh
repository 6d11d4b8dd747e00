cd /
timeout --kill-after=2 45 git ls-remote -- "$url" "refs/heads/$branch"
