package cloud_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

const limit = 32 << 10

func newHostKey(t *testing.T) (private []byte, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func newUserData(private []byte, own string, limit int) (string, error) {
	return cloud.UserData(provider.Spec{HostKey: private, Options: provider.Options{UserData: own}}, limit)
}

func TestUserDataAlone(t *testing.T) {
	t.Parallel()
	data, err := newUserData(nil, "", limit)
	require.NoError(t, err)
	require.Empty(t, data)

	data, err = newUserData(nil, "#!/bin/sh\necho ä", limit)
	require.NoError(t, err)
	require.Equal(t, "#!/bin/sh\necho ä", data, "is passed on as it is")

	private, public := newHostKey(t)
	data, err = newUserData(private, "", limit)
	require.NoError(t, err)
	requireHostKey(t, data, private, public)
}

// requireHostKey requires a cloud-config that has the key, whole and indented as
// YAML wants it.
func requireHostKey(t *testing.T, config string, private []byte, public string) {
	t.Helper()
	require.True(t, strings.HasPrefix(config, "#cloud-config\n"), config)
	_, block, ok := strings.Cut(config, "\n  ed25519_private: |\n")
	require.True(t, ok, config)
	block, rest, ok := strings.Cut(block, "  ed25519_public: ")
	require.True(t, ok, config)
	require.Equal(t, string(private), strings.ReplaceAll("\n"+block, "\n    ", "\n")[1:])
	require.Equal(t, public+"\n", rest)
	require.Contains(t, config, "\nssh_deletekeys: true\n")
	require.Contains(t, config, "\ndisable_root: false\n")
}

// The embedder's part arrives as it was written, and forge's comes last.
func TestUserDataIsCombined(t *testing.T) {
	t.Parallel()
	private, public := newHostKey(t)
	for name, own := range map[string]string{
		"cloud-config": "#cloud-config\npackages: [htop]\n",
		"script":       "#!/bin/sh\necho From: me\n\n--x--\n",
		"no newline":   "#!/bin/sh\ntrue",
		"many lines":   "#!/bin/sh\n" + strings.Repeat("true\n", 3000),
		"non-ASCII":    "#cloud-config\nwrite_files: [{path: /ä, content: '日本 🙂'}]\n",
		"a long line":  "#!/bin/sh\n: " + strings.Repeat("a", 5000),
		"windows":      "#cloud-config\r\npackages: [htop]\r\n",
	} {
		data, err := newUserData(private, own, limit)
		require.NoError(t, err, name)
		parts := parts(t, data)
		require.Len(t, parts, 2, name)
		require.Equal(t, own, parts[0], name)
		requireHostKey(t, parts[1], private, public)
		for _, r := range data {
			require.Less(t, r, rune(128), name)
		}
	}
}

// parts reads a MIME message as cloud-init does: parts in parts one after the other.
func parts(t *testing.T, data string) []string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	require.NoError(t, err)
	return partsOf(t, m.Header.Get("Content-Type"), m.Body)
}

func partsOf(t *testing.T, contentType string, body io.Reader) (all []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	require.NoError(t, err)
	if !strings.HasPrefix(kind, "multipart/") {
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		return []string{string(text)}
	}
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
		var content io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "base64" {
			content = base64.NewDecoder(base64.StdEncoding, p)
		}
		all = append(all, partsOf(t, p.Header.Get("Content-Type"), content)...)
	}
}

// An embedder who has a MIME message of its own keeps its parts.
func TestUserDataThatIsAMessage(t *testing.T) {
	t.Parallel()
	private, public := newHostKey(t)
	own := "Content-Type: multipart/mixed; boundary=\"==own==\"\nMIME-Version: 1.0\n\n" +
		"--==own==\nContent-Type: text/cloud-config\n\n#cloud-config\npackages: [htop]\n" +
		"--==own==\nContent-Type: text/x-shellscript\n\n#!/bin/sh\ntrue\n--==own==--\n"
	data, err := newUserData(private, own, limit)
	require.NoError(t, err)
	all := parts(t, data)
	require.Len(t, all, 3)
	require.Equal(t, []string{"#cloud-config\npackages: [htop]", "#!/bin/sh\ntrue"}, all[:2])
	requireHostKey(t, all[2], private, public)

	data, err = newUserData(private, "MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n#!/bin/sh\ntrue\n", limit)
	require.NoError(t, err)
	all = parts(t, data)
	require.Len(t, all, 2)
	require.Equal(t, "#!/bin/sh\ntrue\n", all[0])
	require.Contains(t, data, "text/x-shellscript")
}

func TestUserDataIsRefused(t *testing.T) {
	t.Parallel()
	private, _ := newHostKey(t)
	for name, own := range map[string]string{
		"gzip":          "\x1f\x8b\x08\x00",
		"NUL":           "#!/bin/sh\n\x00",
		"not UTF-8":     "#!/bin/sh\necho \xe4",
		"half a rune":   "#!/bin/sh\necho \xe2\x82",
		"bare message":  "MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho ä\n",
		"much too long": "#!/bin/sh\n" + strings.Repeat("x", limit),
	} {
		for _, key := range [][]byte{nil, private} {
			_, err := newUserData(key, own, limit)
			require.ErrorIs(t, err, provider.ErrInvalid, name)
			require.ErrorContains(t, err, "UserData", name)
		}
	}
	for _, key := range []string{"x", "-----BEGIN OPENSSH PRIVATE KEY-----"} {
		_, err := newUserData([]byte(key), "", limit)
		require.ErrorIs(t, err, provider.ErrInvalid)
		require.ErrorContains(t, err, "HostKey")
		require.NotContains(t, err.Error(), key)
	}
}

// The limit holds for what is sent, to the byte, and the error says how much is too
// much.
func TestUserDataLimit(t *testing.T) {
	t.Parallel()
	private, _ := newHostKey(t)
	for _, own := range []string{"#!/bin/sh\n", "#!/bin/sh\n# ä\n"} {
		data, err := newUserData(private, own, limit)
		require.NoError(t, err)
		_, err = newUserData(private, own, len(data))
		require.NoError(t, err)
		_, err = newUserData(private, own, len(data)-3)
		require.ErrorIs(t, err, provider.ErrInvalid)
		require.ErrorContains(t, err, fmt.Sprintf("too long by 3 bytes: with what forge adds it has %d, and the provider takes %d", len(data), len(data)-3))
	}
	_, err := newUserData(nil, strings.Repeat("é", limit/2), limit)
	require.NoError(t, err, "bytes count")
	_, err = newUserData(nil, strings.Repeat("é", limit/2)+"e", limit)
	require.ErrorIs(t, err, provider.ErrInvalid)
}

// What is sent goes through JSON unharmed, as the APIs of clouds speak it.
func FuzzUserData(f *testing.F) {
	for _, own := range []string{"#cloud-config\n", "#!/bin/sh\necho ä\n", "MIME-Version: 1.0\nContent-Type: a/b\n\nx", "\x1f\x8b"} {
		f.Add(own)
	}
	f.Fuzz(func(t *testing.T, own string) {
		private, public := newHostKey(t)
		data, err := newUserData(private, own, limit)
		if err != nil {
			require.ErrorIs(t, err, provider.ErrInvalid)
			return
		}
		sent, err := json.Marshal(data)
		require.NoError(t, err)
		var arrived string
		require.NoError(t, json.Unmarshal(sent, &arrived))
		require.Equal(t, data, arrived)
		if own == "" || strings.Contains(strings.ToLower(own), "mime-version") {
			return
		}
		all := parts(t, data)
		require.Equal(t, own, all[0])
		requireHostKey(t, all[1], private, public)
	})
}

func ExampleUserData() {
	data, err := cloud.UserData(provider.Spec{Options: provider.Options{UserData: "#!/bin/sh\necho hello\n"}}, 16)
	fmt.Println(data, err)
	// Output:
	// request is not valid: UserData is too long by 5 bytes: with what forge adds it has 21, and the provider takes 16
}
