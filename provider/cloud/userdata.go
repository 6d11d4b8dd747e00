package cloud

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// UserData is the user data for a spec: what gives the machine its host key before
// it first answers, and the embedder's own. limit is the vendor's, in bytes. It
// returns nothing when the spec asks for neither.
//
// The parts of a MIME message are what cloud-init merges itself. The one with the
// host key comes last, as what is said twice counts as said last.
func UserData(spec provider.Spec, limit int) (string, error) {
	own := spec.UserData
	if strings.HasPrefix(own, "\x1f\x8b") || strings.ContainsRune(own, 0) {
		return "", fmt.Errorf("%w: UserData must be text, and not compressed", provider.ErrInvalid)
	}
	var keys string
	if len(spec.HostKey) > 0 {
		key, err := hostKey(spec.HostKey)
		if err != nil {
			return "", err
		}
		keys = key
	}
	data := keys + own // one of them is all there is
	if keys != "" && own != "" {
		both, err := combine(own, keys)
		if err != nil {
			return "", err
		}
		data = both
	}
	if len(data) > limit {
		return "", fmt.Errorf("%w: UserData must be at most %d bytes", provider.ErrInvalid, limit-(len(data)-len(own)))
	}
	return data, nil
}

// hostKey is the cloud-config that gives a machine its host key, and no others.
func hostKey(private []byte) (string, error) {
	key, err := ssh.ParsePrivateKey(private)
	if err != nil || key.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return "", fmt.Errorf("%w: HostKey must be an ed25519 private key in OpenSSH PEM", provider.ErrInvalid)
	}
	var b strings.Builder
	b.WriteString("#cloud-config\nssh_deletekeys: true\nssh_genkeytypes: []\nssh_keys:\n  ed25519_private: |\n")
	for line := range strings.Lines(strings.TrimSpace(string(private))) {
		b.WriteString("    " + strings.TrimSpace(line) + "\n")
	}
	b.WriteString("  ed25519_public: " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey()))) + "\n")
	return b.String(), nil
}

func combine(parts ...string) (string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, text := range parts {
		// cloud-init looks at the first line of plain text for what it is.
		header := textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Mime-Version": {"1.0"}}
		if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
			header["Content-Transfer-Encoding"] = []string{"base64"}
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
		part, err := w.CreatePart(header)
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"" + w.Boundary() + "\"\r\n\r\n" + body.String(), nil
}
