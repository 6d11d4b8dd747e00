# shellcheck shell=bash
# A deployment: says once that it ran, and prints numbered lines.
run=${FORGE_RUN_DIR%/files}
echo "${run##*/}" >>/srv/ran
for ((i = 1; i <= LINES; i++)); do
	echo "line $i"
	((i % 10)) || sleep 0.1
done
