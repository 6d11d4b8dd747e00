cd /
# ls-remote also lists refs that end like the one asked for.
export ref=refs/heads/$branch
timeout --kill-after=2 45 git ls-remote -- "$url" "$ref" | awk -F'\t' '$2 == ENVIRON["ref"]'
