package cloud

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// UserData is the user data for a spec: what gives the machine its host key before
// it first answers and lets root log in with the control key, and the embedder's
// own. limit is the vendor's, in bytes. It returns nothing when the spec asks for
// neither.
//
// The parts of a MIME message are what cloud-init merges itself. Forge's comes
// last, as what is said twice counts as said last.
func UserData(spec provider.Spec, limit int) (string, error) {
	own := spec.UserData
	if !utf8.ValidString(own) || strings.ContainsRune(own, 0) {
		return "", fmt.Errorf("%w: UserData must be text in UTF-8, and not compressed", provider.ErrInvalid)
	}
	if !isASCII(own) && message(own) != nil {
		return "", fmt.Errorf("%w: UserData that is a MIME message must be ASCII: encode its parts as base64, as cloud-init devel make-mime does", provider.ErrInvalid)
	}
	data := own
	if len(spec.HostKey) > 0 {
		keys, err := hostKey(spec.HostKey)
		if err != nil {
			return "", err
		}
		data = keys
		if own != "" {
			if data, err = combine(own, keys); err != nil {
				return "", err
			}
		}
	}
	if len(data) > limit {
		return "", fmt.Errorf("%w: UserData is too long by %d bytes: with what forge adds it has %d, and the provider takes %d",
			provider.ErrInvalid, len(data)-limit, len(data), limit)
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
	b.WriteString("#cloud-config\ndisable_root: false\nssh_deletekeys: true\nssh_genkeytypes: [ed25519]\nssh_keys:\n  ed25519_private: |\n")
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
		header, content := part(text)
		p, err := w.CreatePart(header)
		if err == nil {
			_, err = io.WriteString(p, content)
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

// part is a text as a part of a MIME message. What is such a message itself becomes
// a part as it is; of anything else cloud-init sees by its first line what it is.
func part(text string) (textproto.MIMEHeader, string) {
	if m := message(text); m != nil {
		if body, err := io.ReadAll(m.Body); err == nil {
			return textproto.MIMEHeader(m.Header), string(body)
		}
	}
	header := textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Mime-Version": {"1.0"}}
	if !isASCII(text) {
		header["Content-Transfer-Encoding"] = []string{"base64"}
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return header, text
}

// message reads a text that is a MIME message, or returns nil.
func message(text string) *mail.Message {
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil || m.Header.Get("Mime-Version") == "" {
		return nil
	}
	return m
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}
