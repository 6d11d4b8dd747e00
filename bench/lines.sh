# shellcheck shell=bash
# Writes $1 lines of 80 bytes, as a build prints them. Each begins with its number.
awk -v count="$1" 'BEGIN {
	for (i = 1; i <= count; i++) {
		x = (x * 1103515245 + i) % 2147483648
		line = sprintf("%07d  - Installing vendor%d/package-%d (v%d.%d.%d): Extracting archive %08x", i, i % 97, x, i % 9, i % 31, i % 13, x)
		printf "%-79.79s\n", line
	}
}' >/srv/lines
