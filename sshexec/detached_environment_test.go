package sshexec_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Every byte but NUL comes through, in any number of variables of any name.
func testEnvironment(t *testing.T, b *box) {
	c := b.dial(t)
	name := rapid.StringMatching(`[A-Z_a-z][A-Z_a-z0-9]{1,20}`)
	value := rapid.OneOf(
		rapid.Map(rapid.SliceOf(rapid.ByteRange(1, 255)), func(p []byte) string { return string(p) }),
		rapid.StringOf(rapid.RuneFrom([]rune("\n\r\t \"'\\$`%=#;\x01\x7fa\u00e9\ufffe"))),
		rapid.SampledFrom([]string{"", "\n", "\\", "'", `"`, "$HOME", "%h", "$(id)", "\xff", "a\\\nb", strings.Repeat("x", 100<<10)}),
	)
	rapid.Check(t, func(rt *rapid.T) {
		env := rapid.MapOfN(name, value, 1, 20).Draw(rt, "env")
		for _, own := range []string{"SHLVL", "PWD", "OLDPWD"} {
			delete(env, own)
		}
		size := 0
		for _, v := range env {
			size += len(v)
		}
		if size > 900<<10 {
			rt.Skip("too large")
		}
		var log bytes.Buffer
		status, err := c.Attach(t.Context(), sshexec.RunSpec{
			ID: newID(), User: "site", Env: env, Script: []byte("#!/bin/cat /proc/self/environ\n"),
		}, 0, &log)
		require.NoError(rt, err)
		require.Equal(rt, sshexec.RunExited, status.State)
		got := map[string]string{}
		for kv := range strings.SplitSeq(log.String(), "\x00") {
			k, v, _ := strings.Cut(kv, "=")
			got[k] = v
		}
		for _, k := range slices.Sorted(maps.Keys(env)) {
			require.Equal(rt, env[k], got[k], "%s", k)
		}
	})
}
