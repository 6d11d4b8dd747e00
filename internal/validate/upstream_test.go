package validate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

func TestUpstream(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"127.0.0.1:3000": "127.0.0.1:3000", "127.0.0.2:08080": "127.0.0.2:8080", "[::1]:3000": "[::1]:3000",
		"[0:0:0:0:0:0:0:1]:3000": "[::1]:3000", "[::ffff:127.0.0.1]:3000": "127.0.0.1:3000", "unix:/run/app_1/web-2.sock": "unix:/run/app_1/web-2.sock",
	} {
		got, err := validate.Upstream("upstream", value)
		require.NoError(t, err, value)
		require.Equal(t, want, got)
		again, err := validate.Upstream("upstream", got)
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	for _, value := range []string{
		"", "3000", ":3000", "localhost:3000", "10.0.0.1:3000", "[::]:3000", "[fe80::1%eth0]:3000", "[::1%lo]:3000", "127.0.0.1:0",
		"127.0.0.1:80", "[::1]:443", "127.0.0.1:65536", "127.0.0.1:3000/", "127.0.0.1:3000 x", "127.0.0.1:3000\n", "http://127.0.0.1:3000",
		"unix:", "unix:run", "unix:/", "unix://run", "unix:/run/", "unix:/run/../x", "unix:/run/./x", "unix:/a:b", "unix:/a b", "unix:/a\"b",
		"unix:/$a", "unix:/a;b", "unix:/a\nb", "unix:/-a", "unix:/ä", "UNIX:/a", "unix:/run/php/forge-1-8.4.sock",
		"unix:/var/run/php/php-fpm.sock", "unix:/proc/self/root/run/php/a.sock", "unix:/" + strings.Repeat("a", 107),
	} {
		_, err := validate.Upstream("upstream", value)
		var broken *validate.Error
		require.ErrorAs(t, err, &broken, "%q", value)
		require.Equal(t, "upstream", broken.Field)
	}
}

func TestUpstreamOfAUser(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"127.0.0.1:3000", "unix:/run/app/web.sock", "unix:/run/php-app/web.sock", "unix:/home/site-1/web.sock"} {
		got, err := validate.UpstreamOf("site-1", "upstream", value)
		require.NoError(t, err)
		require.Equal(t, value, got)
	}
	for _, value := range []string{"unix:/home/site-2/web.sock", "unix:/home/site-12/web.sock", "unix:/home/site-1", "unix:/run/php/a.sock", ""} {
		_, err := validate.UpstreamOf("site-1", "upstream", value)
		var broken *validate.Error
		require.ErrorAs(t, err, &broken, "%q", value)
		require.Equal(t, "upstream", broken.Field)
	}
}
