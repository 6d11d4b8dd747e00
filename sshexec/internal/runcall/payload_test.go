package runcall_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec/internal/runcall"
)

func TestPayload(t *testing.T) {
	t.Parallel()
	want := map[string][]byte{"script": []byte("\n1 2 3\n\x00"), "files/.key": {}, "files/a-b_c": []byte("pem")}
	var payload []byte
	for name, data := range want {
		payload = runcall.File{Name: name, Mode: 0o640, Data: data}.Append(payload)
	}
	got, err := runcall.ReadPayload(bytes.NewReader(payload))
	require.NoError(t, err)
	require.Equal(t, want, got)

	whole := runcall.File{Name: "script", Mode: 0o640, Data: []byte("true")}.Append(nil)
	for n := 1; n < len(whole); n++ {
		_, err := runcall.ReadPayload(bytes.NewReader(whole[:n]))
		require.Error(t, err, "%d bytes", n)
	}
}
