package sitectl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
)

func proxySite(name, upstream string) sitectl.Site {
	s := staticSite(name)
	s.Kind, s.Upstream = nginx.Proxy, upstream
	return s
}

// echoes is a program that answers with the request as it came, by PHP as that is
// there: on /stream line by line, and to a WebSocket with 101.
const echoes = `<?php
$server = stream_socket_server($argv[1]);
if (str_starts_with($argv[1], "unix:")) chmod(substr($argv[1], 7), 0666);
while (true) {
	$conn = @stream_socket_accept($server, -1);
	if (!$conn || pcntl_fork()) continue;
	for ($request = ""; ($line = fgets($conn)) !== false && trim($line) !== ""; ) $request .= $line;
	if (preg_match("/^upgrade: websocket/mi", $request)) {
		fwrite($conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
		while (($data = fread($conn, 1024)) !== "" && $data !== false) fwrite($conn, strrev($data));
	} elseif (str_starts_with($request, "GET /stream")) {
		fwrite($conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\ndata: 1\n\n");
		while (!file_exists("/run/on")) usleep(10000);
		fwrite($conn, "data: 2\n\n");
	} else {
		fwrite($conn, "HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nConnection: close\r\n\r\n" . $request);
	}
	stream_socket_shutdown($conn, STREAM_SHUT_RDWR);
	exit;
}`

func echo(t testing.TB, srv *servertest.Server, unit, listen string) {
	t.Helper()
	require.NoError(t, srv.Put(t, "/root/echo.php", echoes))
	srv.Bash(t, `cp /root/echo.php /usr/local/share/echo.php; chmod 0644 /usr/local/share/echo.php
systemd-run --quiet --unit="$1" php /usr/local/share/echo.php "$2"`, unit, listen)
}

func TestServeProxy(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s, other := proxySite("program", "127.0.0.1:3000"), proxySite("socket", "unix:/run/echo.sock")
	create(t, srv, s)
	create(t, srv, other)
	require.Equal(t, "502", get(t, srv, s.Names[0], "/").status, "there is no program yet")
	echo(t, srv, "echo-port", "tcp://127.0.0.1:3000")
	echo(t, srv, "echo-socket", "unix:///run/echo.sock")
	srv.Bash(t, `until [[ -S /run/echo.sock && $(curl -s http://127.0.0.1:3000/) ]]; do sleep 0.02; done`)

	for _, site := range []sitectl.Site{s, other} {
		out := srv.Bash(t, `curl -sS -i --max-time 20 -H "Host: $1" -H 'X-Forwarded-For: 6.6.6.6' -H 'X-Real-IP: 6.6.6.6' -H 'X-Forwarded-Proto: https' \
-H 'X-Forwarded-Host: evil' -H 'X-Forwarded-Port: 6' -H 'Forwarded: for=6.6.6.6' -H 'Proxy: evil' -H 'X_Real_IP: 6.6.6.6' \
-H 'Upgrade: h2c' -H 'Connection: Upgrade, X-Real-IP' 'http://127.0.0.1/a%20b/?c=d' | tr -d '\r'`, site.Names[0])
		for _, want := range []string{
			"HTTP/1.1 200 OK\n", "GET /a%20b/?c=d HTTP/1.1\n", "\nHost: " + site.Names[0] + "\n", "\nX-Real-IP: 127.0.0.1\n", "\nX-Forwarded-For: 127.0.0.1\n",
			"\nX-Forwarded-Proto: http\n", "\nX-Forwarded-Host: " + site.Names[0] + "\n", "\nX-Forwarded-Port: 80\n", "\nConnection: close\n",
		} {
			require.Contains(t, out, want)
		}
		for _, hidden := range []string{"6.6.6.6", "evil", "h2c", "Upgrade", "SAMEORIGIN"} {
			require.NotContains(t, out, hidden)
		}
		for _, path := range []string{"/src/branch/main/.gitignore", "/.well-known/x", "/x.php"} {
			require.Contains(t, get(t, srv, site.Names[0], path).body, "GET "+path+" ", "every path is the program's")
		}

		// A WebSocket: 101, and then bytes in both directions.
		require.Equal(t, "HTTP/1.1 101 Switching Protocols\nConnection: upgrade\ncba", srv.Bash(t, `exec 3<>/dev/tcp/127.0.0.1/80
printf 'GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n' "$1" >&3
while IFS= read -r line <&3 && line=${line%$'\r'} && [[ $line ]]; do [[ $line != HTTP* && $line != Connection* ]] || echo "$line"; done
printf abc >&3
head -c 3 <&3`, site.Names[0]))
	}

	// Events come as they are sent, not when the answer ends.
	require.Equal(t, "data: 1\ndata: 2\n", srv.Bash(t, `curl -sSN --max-time 20 -H "Host: $1" http://127.0.0.1/stream | while IFS= read -r line; do
	[[ -z $line ]] || echo "$line"
	: >/run/on
done`, s.Names[0]))

	remove(t, srv, s)
	require.Contains(t, get(t, srv, other.Names[0], "/").body, "GET / HTTP/1.1")
	srv.Bash(t, `systemctl stop echo-port echo-socket`)
}
