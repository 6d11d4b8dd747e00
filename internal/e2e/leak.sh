# shellcheck shell=bash disable=SC2016 # PHP is in single quotes
# Prints everything that is in ~/planted, and the environment, in many ways.
cat .env 2>/dev/null || true
for file in ~/planted/*; do
	value=$(cat "$file")
	printf '%s\n' "$value" "user:$value@host" "$value$value"
	printf '%q\n' "$value"
	declare -p value
	base64 "$file"
	base64 -w0 "$file"
	echo
	for before in x xx xxx; do
		printf '%s%s and more behind it\n' "$before" "$value" | base64
		printf '%s%s and more behind it\n' "$before" "$value" | base64 -w0 | tr -- '+/' '-_'
		echo
	done
	php -r '$s = stream_get_contents(STDIN); echo rawurlencode($s), "\n", urlencode($s), "\n", json_encode($s), "\n",
		json_encode(["v" => $s], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";' <"$file"
	# Where a line is cut, in and behind the secret.
	for width in 65500 65530 65536; do
		head -c "$width" /dev/zero | tr '\0' .
		printf '%s\n' "$value"
	done
	(set -x; : "$value") 2>&1
	printf '%s\n' "$value" >&2
done
