package nginx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/nginx"
)

var vhost = nginx.Vhost{
	ID: "0190-ab", Kind: nginx.PHP, Names: []string{"example.com", "www.example.com", "xn--bcher-kva.example"},
	Root: "/home/site/example.com/public", Socket: "/run/php/forge-0190-ab.sock",
}

// directive is what nginx reads: a name, arguments, and a block if it has one.
type directive struct {
	words []string
	block []directive
}

// parse reads a configuration by the rules of nginx's own parser.
func parse(text string) ([]directive, error) {
	words, err := lex(text)
	if err != nil {
		return nil, err
	}
	block, rest, err := parseBlock(words)
	if err == nil && len(rest) > 0 {
		err = errors.New("too many }")
	}
	return block, err
}

// token is a word, or one of ; { } where special.
type token struct {
	text    string
	special bool
}

func parseBlock(in []token) (block []directive, rest []token, err error) {
	var d directive
	for len(in) > 0 {
		t := in[0]
		in = in[1:]
		switch {
		case !t.special:
			d.words = append(d.words, t.text)
			continue
		case t.text == "}":
			if d.words != nil {
				return nil, nil, errors.New("directive without ;")
			}
			return block, append([]token{t}, in...), nil
		case t.text == "{":
			if d.block, in, err = parseBlock(in); err != nil {
				return nil, nil, err
			}
			if len(in) == 0 {
				return nil, nil, errors.New("block without }")
			}
			in = in[1:]
		}
		block, d = append(block, d), directive{}
	}
	if d.words != nil {
		return nil, nil, errors.New("directive without ;")
	}
	return block, nil, nil
}

func lex(text string) (out []token, err error) {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.ContainsRune(" \t\r\n", rune(c)):
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case strings.ContainsRune(";{}", rune(c)):
			out = append(out, token{string(c), true})
			i++
		default:
			word, n, err := lexWord(text[i:])
			if err != nil {
				return nil, err
			}
			out = append(out, token{word, false})
			i += n
		}
	}
	return out, nil
}

func lexWord(text string) (word string, n int, err error) {
	quote := text[0]
	quoted := quote == '"' || quote == '\''
	if quoted {
		n = 1
	}
	var b strings.Builder
	for ; n < len(text); n++ {
		switch c := text[n]; {
		case c == '\\' && n+1 < len(text):
			n++
			switch next := text[n]; next {
			case '"', '\'', '\\':
				b.WriteByte(next)
			case 't', 'r', 'n':
				b.WriteByte(map[byte]byte{'t': '\t', 'r': '\r', 'n': '\n'}[next])
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		case quoted && c == quote:
			if n+1 < len(text) && !strings.ContainsRune(" \t\r\n;{)", rune(text[n+1])) {
				return "", 0, errors.New("no space after a quote")
			}
			return b.String(), n + 1, nil
		case !quoted && strings.ContainsRune(" \t\r\n;{", rune(c)):
			return b.String(), n, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, errors.New("word without end")
}

func find(block []directive, name string) (found []directive) {
	for _, d := range block {
		if d.words[0] == name {
			found = append(found, d)
		}
	}
	return found
}

func TestVhostParsesBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []nginx.Kind{nginx.PHP, nginx.Static} {
		v := vhost
		v.Kind = kind
		text, err := v.Config()
		require.NoError(t, err)
		top, err := parse(string(text))
		require.NoError(t, err, string(text))
		require.Len(t, top, 1)
		server := top[0].block
		require.Equal(t, []directive{{words: []string{"listen", "80"}}, {words: []string{"listen", "[::]:80"}}}, find(server, "listen"))
		require.Equal(t, append([]string{"server_name"}, v.Names...), find(server, "server_name")[0].words)
		require.Equal(t, []string{"root", v.Root}, find(server, "root")[0].words)
		require.Equal(t, []string{"disable_symlinks", "if_not_owner"}, find(server, "disable_symlinks")[0].words)
		require.Equal(t, []string{"charset", "utf-8"}, find(server, "charset")[0].words)
		require.Equal(t, []directive{
			{words: []string{"add_header", "X-Frame-Options", "SAMEORIGIN", "always"}},
			{words: []string{"add_header", "X-Content-Type-Options", "nosniff", "always"}},
		}, find(server, "add_header"))
		var expressions []directive
		for _, location := range find(server, "location") {
			if location.words[1] == "~" {
				expressions = append(expressions, location)
			}
			require.Empty(t, find(location.block, "add_header"), "it would drop the headers of the server")
		}
		require.Equal(t, `/\.(?!well-known(?:/|$))`, expressions[0].words[2], "nginx takes the first expression that matches")
		require.Equal(t, `\.php$`, expressions[1].words[2])
		if kind == nginx.PHP {
			require.Equal(t, []string{"fastcgi_pass", "unix:" + v.Socket}, find(expressions[1].block, "fastcgi_pass")[0].words)
		}
	}
}

// Whatever is let through stays one value, and parses to what went in.
func vhostParsesBack(t *rapid.T) {
	v := vhost
	v.Kind = rapid.SampledFrom([]nginx.Kind{nginx.PHP, nginx.Static, nginx.Proxy}).Draw(t, "kind")
	v.Root = "/" + rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"'\\#$~ /.-]*`)).Draw(t, "root")
	v.Names = append(v.Names, rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9.-]+`)).Draw(t, "name"))
	v.Upstream = rapid.OneOf(rapid.String(), rapid.StringMatching(`127\.0\.0\.1:[0-9]{1,5}`), rapid.StringMatching(`unix:(/[a-z._-]{1,5}){1,3}`),
		rapid.Just("[::1]:3000")).Draw(t, "upstream")
	text, err := v.Config()
	if err != nil {
		return
	}
	top, err := parse(string(text))
	require.NoError(t, err)
	require.Len(t, top, 1)
	server := top[0].block
	require.Equal(t, append([]string{"server_name"}, v.Names...), find(server, "server_name")[0].words)
	if v.Kind == nginx.Proxy {
		location := find(server, "location")
		require.Len(t, location, 1, "every path is the program's, names with a dot too")
		require.Equal(t, []string{"location", "/"}, location[0].words)
		require.Equal(t, []directive{{words: []string{"proxy_pass", "http://" + v.Upstream}}}, find(location[0].block, "proxy_pass"))
		require.Empty(t, find(server, "root"))
		return
	}
	require.Equal(t, []string{"root", v.Root}, find(server, "root")[0].words)
	require.Len(t, find(server, "location"), 5)
}

func TestVhostProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, vhostParsesBack)
}

func FuzzVhost(f *testing.F) { f.Fuzz(rapid.MakeFuzz(vhostParsesBack)) }

func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a", `a"b`, `a\`, `\n`, "a b;{}#'", "$x", "\n", "ü", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		quoted, err := nginx.Quote(value)
		if err != nil {
			return
		}
		require.NotContains(t, quoted, "$")
		top, err := parse("x " + quoted + ";")
		require.NoError(t, err)
		require.Equal(t, []directive{{words: []string{"x", value}}}, top)
	})
}

func TestVhostRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*nginx.Vhost){
		"no id":               func(v *nginx.Vhost) { v.ID = "" },
		"id that climbs":      func(v *nginx.Vhost) { v.ID = "../x" },
		"no name":             func(v *nginx.Vhost) { v.Names = nil },
		"empty name":          func(v *nginx.Vhost) { v.Names = []string{""} },
		"name with a space":   func(v *nginx.Vhost) { v.Names = []string{"a b"} },
		"name as expression":  func(v *nginx.Vhost) { v.Names = []string{"~.*"} },
		"wildcard":            func(v *nginx.Vhost) { v.Names = []string{"*.example.com"} },
		"leading dot":         func(v *nginx.Vhost) { v.Names = []string{".example.com"} },
		"catch-all":           func(v *nginx.Vhost) { v.Names = []string{"_"} },
		"name with a newline": func(v *nginx.Vhost) { v.Names = []string{"a.com\n"} },
		"relative root":       func(v *nginx.Vhost) { v.Root = "home" },
		"root that climbs":    func(v *nginx.Vhost) { v.Root = "/home/../etc" },
		"root with variable":  func(v *nginx.Vhost) { v.Root = "/home/$host" },
		"root with newline":   func(v *nginx.Vhost) { v.Root = "/home/\nx" },
		"no socket":           func(v *nginx.Vhost) { v.Socket = "" },
		"socket with options": func(v *nginx.Vhost) { v.Socket = "/run/x.sock:/y" },
		"unknown kind":        func(v *nginx.Vhost) { v.Kind = "node" },
		"no upstream":         func(v *nginx.Vhost) { v.Kind = nginx.Proxy },
		"upstream elsewhere":  func(v *nginx.Vhost) { v.Kind, v.Upstream = nginx.Proxy, "10.0.0.1:3000" },
		"upstream not normal": func(v *nginx.Vhost) { v.Kind, v.Upstream = nginx.Proxy, "127.0.0.1:03000" },
	} {
		v := vhost
		change(&v)
		_, err := v.Config()
		require.Error(t, err, name)
	}
}
