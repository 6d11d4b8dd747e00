package validate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

func TestProxiesAndMirrors(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"http://proxy.example.com:3128": "http://proxy.example.com:3128",
		"HTTPS://Proxy:0443/":           "https://proxy:443",
		"http://10.0.0.1":               "http://10.0.0.1",
		"http://[2001:db8::1]:3128":     "http://[2001:db8::1]:3128",
	} {
		got, err := validate.ProxyURL("http_proxy", value)
		require.NoError(t, err, value)
		require.Equal(t, want, got)
		again, err := validate.MirrorURL("apt_mirror", value)
		require.NoError(t, err, value)
		require.Equal(t, want, again)
	}
	got, err := validate.MirrorURL("apt_mirror", "https://nexus.corp/repository/debian_12/")
	require.NoError(t, err)
	require.Equal(t, "https://nexus.corp/repository/debian_12", got)
	_, err = validate.ProxyURL("http_proxy", "http://proxy/path")
	require.EqualError(t, err, "http_proxy: must have no path")

	for _, value := range []string{
		"", "proxy:3128", "//proxy", "ftp://proxy", "socks5://proxy", "http://", "http:///path", "http://a b", "http://a\nb",
		"http://user@proxy", "http://user:s3cret@proxy:3128", "http://proxy:0", "http://proxy:70000", "http://proxy:x",
		"http://proxy?a=b", "http://proxy#x", `http://pro"xy`, "http://pro'xy", "http://$(id)", "http://`id`", "http://-proxy",
		"http://::1", "http://[::1", "http://[fe80::1%eth0]", "http://[10.0.0.1]", "http://proxy;reboot", "http://proxy\\x",
		"http://proxy/a b", "http://proxy/a//b", "http://proxy/../b", "http://proxy/a/./b", `http://proxy/a"b`, "http://proxy/a&b",
		"http://proxy/%2e", "http://1.2.3", "http://proxy\x00", "http://pröxy", "http://" + strings.Repeat("a", 2000),
	} {
		for name, check := range map[string]func(string, string) (string, error){"proxy": validate.ProxyURL, "mirror": validate.MirrorURL} {
			_, err := check("field", value)
			var broken *validate.Error
			require.ErrorAs(t, err, &broken, "%s %q", name, value)
			require.NotContains(t, err.Error(), "s3cret")
		}
	}
}

func TestNoProxy(t *testing.T) {
	t.Parallel()
	got, err := validate.NoProxy("no_proxy", []string{"Git.corp", ".corp", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"})
	require.NoError(t, err)
	require.Equal(t, []string{"git.corp", ".corp", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"}, got)
	for _, value := range []string{"", "*", "*.corp", "..corp", "a,b", "a b", "a\nb", "10.0.0.0/99", "$(id)", `"`, "http://a", "a:80", "fe80::1%eth0"} {
		_, err := validate.NoProxy("no_proxy", []string{"ok", value})
		var broken *validate.Error
		require.ErrorAs(t, err, &broken, "%q", value)
		require.Equal(t, "no_proxy[1]", broken.Field)
	}
	_, err = validate.NoProxy("no_proxy", make([]string, 101))
	require.EqualError(t, err, "no_proxy: must be at most 100")
}
