package validate_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// line writes a key in wire format as a .pub file has it.
func line(kind string, fields any) string {
	blob := ssh.Marshal(struct {
		Kind string
		Rest []byte `ssh:"rest"`
	}{kind, ssh.Marshal(fields)})
	return kind + " " + base64.StdEncoding.EncodeToString(blob)
}

// rsaLine makes a key that is RSA by its form alone: no primes are needed.
func rsaLine(size uint) string {
	n := new(big.Int).SetBit(big.NewInt(1), int(size)-1, 1)
	return line("ssh-rsa", struct{ E, N *big.Int }{big.NewInt(65537), n})
}

func ecdsaLine(t testing.TB, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return sshLine(t, key.Public())
}

func ed25519Line(t testing.TB) string {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return sshLine(t, pub)
}

func sshLine(t testing.TB, pub any) string {
	t.Helper()
	key, err := ssh.NewPublicKey(pub)
	require.NoError(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// skLines are keys of a security key.
func skLines(t testing.TB) (ed, ec string) {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	ed = line("sk-ssh-ed25519@openssh.com", struct{ Key, Application string }{string(pub), "ssh:"})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	ec = line("sk-ecdsa-sha2-nistp256@openssh.com", struct{ Curve, Point, Application string }{"nistp256", string(point), "ssh:"})
	return ed, ec
}

func TestPublicKey(t *testing.T) {
	t.Parallel()
	skEd, skEc := skLines(t)
	for _, tt := range []struct {
		kind string
		line string
		bits int
	}{
		{"ssh-ed25519", ed25519Line(t), 256},
		{"ecdsa-sha2-nistp256", ecdsaLine(t, elliptic.P256()), 256},
		{"ecdsa-sha2-nistp384", ecdsaLine(t, elliptic.P384()), 384},
		{"ecdsa-sha2-nistp521", ecdsaLine(t, elliptic.P521()), 521},
		{"sk-ssh-ed25519@openssh.com", skEd, 256},
		{"sk-ecdsa-sha2-nistp256@openssh.com", skEc, 256},
		{"ssh-rsa", rsaLine(2048), 2048},
		{"ssh-rsa", rsaLine(8192), 8192},
	} {
		got, err := validate.PublicKey("key", "  "+strings.ReplaceAll(tt.line, " ", "  \t ")+" ann@laptop \x1b[2Jof Ann\u202e \r\n")
		require.NoError(t, err, tt.kind)
		want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(tt.line))
		require.NoError(t, err)
		require.Equal(t, validate.Key{
			Type: tt.kind, Line: tt.line, Comment: "ann@laptop [2Jof Ann", Fingerprint: ssh.FingerprintSHA256(want), Bits: tt.bits,
		}, got)
	}
	got, err := validate.PublicKey("key", ed25519Line(t)+" "+strings.Repeat("ä", 300))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("ä", validate.MaxName), got.Comment)
}

func TestPublicKeyRefuses(t *testing.T) {
	t.Parallel()
	good := ed25519Line(t)
	kind, encoded, _ := strings.Cut(good, " ")
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	pemText := string(pem.EncodeToMemory(block))
	blob, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)

	for in, rule := range map[string]string{
		"":           "is required",
		" \n":        "is required",
		"not a key":  "must be an ed25519",
		"ssh-rsa":    "between 2048 and 8192",
		kind:         "complete key",
		kind + " !":  "base64",
		kind + " AA": "base64",
		// Padding bits that are not zero are another text of the same key.
		strings.Replace(good, encoded, encoded[:len(encoded)-1]+"!", 1):      "base64",
		kind + " " + base64.StdEncoding.EncodeToString(blob[:len(blob)-1]):   "complete key",
		kind + " " + base64.StdEncoding.EncodeToString(append(blob, "x"...)): "complete key",
		"ecdsa-sha2-nistp256 " + encoded:                                     "complete key",
		pemText:                                                              "private one",
		"-----BEGIN RSA PRIVATE KEY-----\nAAAA":                              "private one",
		"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none":               "private one",
		strings.Split(pemText, "\n")[1]:                                      "private one",
		"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA":                              "one line",
		good + "\n" + good:                                                   "one line",
		good + "\r" + good:                                                   "one line",
		good + "\ncommand=\"id\" " + good:                                    "one line",
		good + "\x00":                                                        "one line",
		`command="id" ` + good:                                               "without options",
		`no-pty,from="1.2.3.4" ` + good:                                      "without options",
		"restrict " + good:                                                   "without options",
		"ssh-dss AAAAB3NzaC1kc3MAAACB":                                       "DSA",
		"ssh-ed25519-cert-v01@openssh.com AAAA":                              "certificate",
		"ssh-rsa-cert-v01@openssh.com AAAA":                                  "certificate",
		"ecdsa-sha2-nistp224 AAAA":                                           "must be an ed25519",
		"rsa-sha2-512 AAAA":                                                  "must be an ed25519",
		rsaLine(1024):                                                        "between 2048 and 8192",
		rsaLine(2047):                                                        "between 2048 and 8192",
		rsaLine(8193):                                                        "between 2048 and 8192",
		rsaLine(16384):                                                       "between 2048 and 8192",
		line("ssh-rsa", struct{ E, N *big.Int }{big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 2047)}): "complete key",
		// A zero too many before the modulus makes another blob of the same key.
		line("ssh-rsa", struct {
			E *big.Int
			N string
		}{big.NewInt(65537), "\x00\x00" + strings.Repeat("\xff", 256)}): "complete key",
		good + strings.Repeat(" ", 16<<10): "at most 16384",
	} {
		_, err := validate.PublicKey("key", in)
		var broken *validate.Error
		require.ErrorAs(t, err, &broken, "%.80q is let through", in)
		require.Contains(t, broken.Rule, rule, "of %.80q", in)
		require.Empty(t, broken.Value)
	}
}

// The largest modulus that fits into the limit of the line costs nothing.
func TestPublicKeyHuge(t *testing.T) {
	t.Parallel()
	huge := rsaLine(95_000)
	require.Less(t, len(huge), validate.MaxPublicKey)
	start := time.Now()
	_, err := validate.PublicKey("key", huge)
	require.ErrorContains(t, err, "between 2048 and 8192")
	require.Less(t, time.Since(start), time.Second)
}

// OpenSSH reads what is let through, and agrees on the fingerprint.
func TestPublicKeyAgreesWithOpenSSH(t *testing.T) {
	t.Parallel()
	keygen := tool(t, "ssh-keygen")
	skEd, _ := skLines(t)
	for _, in := range []string{ed25519Line(t), ecdsaLine(t, elliptic.P521()), skEd} {
		key, err := validate.PublicKey("key", in)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "key.pub")
		require.NoError(t, os.WriteFile(file, []byte(key.Line+"\n"), 0o600))
		out, err := exec.Command(keygen, "-l", "-f", file).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), key.Fingerprint)
	}
}

func FuzzPublicKey(f *testing.F) {
	f.Add(ed25519Line(f))
	f.Add(rsaLine(2048) + " comment")
	f.Add(`command="id" ` + ecdsaLine(f, elliptic.P256()))
	skEd, skEc := skLines(f)
	f.Add(skEd)
	f.Add(skEc)
	f.Fuzz(func(t *testing.T, in string) {
		key, err := validate.PublicKey("key", in)
		if err != nil {
			require.NotContains(t, err.Error(), "AAAA")
			return
		}
		require.Regexp(t, `^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$`, key.Line)
		again, err := validate.PublicKey("key", key.Line+" "+key.Comment)
		require.NoError(t, err)
		require.Equal(t, key, again)
		parsed, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(key.Line))
		require.NoError(t, err)
		require.Empty(t, options)
		require.Empty(t, rest)
		require.Equal(t, key.Fingerprint, ssh.FingerprintSHA256(parsed))
	})
}
