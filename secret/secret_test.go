package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/secret"
)

const value = "correct horse battery staple"

type exported struct{ Token secret.Secret }

type unexported struct{ token secret.Secret }

// leaks reports whether text holds the value in any notation that fmt knows.
func leaks(text string) bool {
	for _, format := range []string{"%s", "%x", "%X", "% x", "%d", "%v"} {
		for _, v := range []any{value, []byte(value)} {
			if bytes.Contains([]byte(text), fmt.Appendf(nil, format, v)) {
				return true
			}
		}
	}
	return false
}

func TestFmtHidesTheValue(t *testing.T) {
	t.Parallel()
	s := secret.New(value)
	args := map[string]any{
		"value":              s,
		"pointer":            &s,
		"slice":              []secret.Secret{s},
		"map":                map[string]secret.Secret{"k": s},
		"key":                map[secret.Secret]int{s: 1},
		"exported field":     exported{s},
		"unexported field":   unexported{s},
		"pointer to struct":  &exported{s},
		"pointer to private": &unexported{s},
		"nested":             struct{ in any }{[]any{&unexported{s}, exported{s}}},
		"error":              fmt.Errorf("login with %v: %w", s, errors.New("denied")),
	}
	for name, arg := range args {
		for _, verb := range "vsqxXdTptbcoUefg" {
			for _, flags := range []string{"", "+", "#", " ", "-40", "040", ".3"} {
				format := "%" + flags + string(verb)
				require.False(t, leaks(fmt.Sprintf(format, arg)), "%s of %s", format, name)
			}
		}
		noVerb := strings.Clone("no verb") // not a constant, so that vet lets the mistake pass
		require.False(t, leaks(fmt.Sprintf(noVerb, arg)), "extra argument, %s", name)
		require.False(t, leaks(fmt.Sprint(arg)+fmt.Sprintln(arg)), name)
	}
	require.Equal(t, "[secret] [secret]", fmt.Sprintf("%v %#v", s, s))
	require.Equal(t, "[secret]", s.String())
}

func TestEncodersHideTheValue(t *testing.T) {
	t.Parallel()
	s := secret.New(value)
	for _, arg := range []any{s, &s, exported{s}, &unexported{s}, []any{s}, map[secret.Secret]secret.Secret{s: s}} {
		out, err := json.Marshal(arg)
		require.NoError(t, err)
		require.False(t, leaks(string(out)), "%s", out)
	}
	out, err := json.Marshal(exported{s})
	require.NoError(t, err)
	require.JSONEq(t, `{"Token":"[secret]"}`, string(out))

	out, err = xml.Marshal(exported{s})
	require.NoError(t, err)
	require.Equal(t, "<exported><Token>[secret]</Token></exported>", string(out))
}

func TestSlogHidesTheValue(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	handlers := map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, nil),
		"json": slog.NewJSONHandler(&out, nil),
	}
	s := secret.New(value)
	for name, handler := range handlers {
		out.Reset()
		slog.New(handler).With("with", s).WithGroup("group").Error("message "+s.String(),
			"value", s, "pointer", &s, "exported", exported{s}, "unexported", &unexported{s},
			"slice", []secret.Secret{s}, "error", fmt.Errorf("login with %v", s))
		require.Contains(t, out.String(), "[secret]", name)
		require.False(t, leaks(out.String()), "%s: %s", name, &out)
	}
}

func TestReveal(t *testing.T) {
	t.Parallel()
	s := secret.New(value)
	require.Equal(t, value, s.Reveal())
	require.False(t, s.Empty())

	require.Empty(t, secret.Secret{}.Reveal())
	require.True(t, secret.Secret{}.Empty())
	require.True(t, secret.New("").Empty())
}
