package tink_test

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	tinkapi "github.com/tink-crypto/tink-go/v2/tink"

	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

func TestFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyset.json")
	k := newKeyset(t)
	require.NoError(t, k.Save(file))
	again, err := tink.Open(file)
	require.NoError(t, err)
	requireOpens(t, again, seal(t, k))
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(file, 1, 1))
	}
	for mode, said := range map[fs.FileMode]string{0o640: "0640", 0o604: "0604", 0o644: "0644", 0o660: "0660", 0o602: "0602"} {
		require.NoError(t, os.Chmod(file, mode))
		_, err = tink.Open(file)
		require.EqualError(t, err, "keyset file "+file+": its mode "+said+" lets others than its owner at the keys: chmod 600 it")
		require.ErrorContains(t, k.Save(file), "chmod 600 it")
	}
	require.NoError(t, os.Chmod(file, 0o400))
	_, err = tink.Open(file)
	require.NoError(t, err)
}

// Kubernetes mounts a secret as a link to a link, and owned by root, for a group that
// the program is in.
func TestMountedSecretIsRead(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "keyset.json")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "..2026"), 0o755))
	require.NoError(t, os.Symlink("..2026", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/keyset.json", file))
	k := newKeyset(t)
	require.NoError(t, k.Save(filepath.Join(dir, "..2026", "keyset.json")))
	for mode, fine := range map[fs.FileMode]bool{0o440: true, 0o640: true, 0o400: true, 0o444: false, 0o644: false, 0o460: false} {
		require.NoError(t, os.Chmod(file, mode))
		again, err := tink.Open(file)
		if !fine || mode&0o040 != 0 && os.Geteuid() != 0 { // then the file is not root's
			require.ErrorContains(t, err, "lets others than its owner at the keys", "%#o", mode)
			continue
		}
		require.NoError(t, err, "%#o", mode)
		requireOpens(t, again, seal(t, k))
	}
}

func TestSaveReplacesWholeAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "keyset.json")
	first := newKeyset(t)
	require.NoError(t, first.Save(file))
	second, err := first.Rotate()
	require.NoError(t, err)
	require.NoError(t, second.Save(file))
	again, err := tink.Open(file)
	require.NoError(t, err)
	require.Equal(t, second.Info(), again.Info())

	disabled, err := second.Disable(first.Keys()[0])
	require.NoError(t, err)
	removed, err := disabled.Remove(first.Keys()[0])
	require.NoError(t, err)
	says := "save keyset file " + file + ": the keyset that is there has key " + first.Keys()[0] + ", which this one lacks: "
	require.ErrorContains(t, removed.Save(file), says, "it was not saved as disabled")
	require.ErrorContains(t, newKeyset(t).Save(file), "which this one lacks", "it is another keyset")
	require.NoError(t, disabled.Save(file))
	require.NoError(t, removed.Save(file))

	require.NoError(t, os.WriteFile(file, []byte("damaged"), 0o600))
	require.ErrorContains(t, removed.Save(file), "what is there cannot be replaced: it is damaged")
	require.Error(t, removed.Save(filepath.Join(dir, "none", "keyset.json")))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "what was written beside is gone")
}

// TestOneOfManyMakesTheKeyset lets many processes make the first keyset at once:
// those that lose know it, as what they would seal could never be opened.
func TestOneOfManyMakesTheKeyset(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyset.json")
	var wg sync.WaitGroup
	saved := make(chan *tink.Keyset, 20)
	for range cap(saved) {
		wg.Go(func() {
			k, err := tink.New()
			if err == nil && k.Save(file) == nil {
				saved <- k
			}
		})
	}
	wg.Wait()
	require.Len(t, saved, 1)
	k, err := tink.Open(file)
	require.NoError(t, err)
	require.Equal(t, (<-saved).Keys(), k.Keys())
}

// other is a keyset that forge has no use for, in the clear.
func other(t *testing.T, template *tinkpb.KeyTemplate) string {
	handle, err := keyset.NewHandle(template)
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)))
	return text.String()
}

func TestWhatIsNoKeysetIsRefused(t *testing.T) {
	t.Parallel()
	sound := newKeyset(t).Text().Reveal()
	raw := aead.AES256GCMKeyTemplate()
	raw.OutputPrefixType = tinkpb.OutputPrefixType_RAW
	sealed := filepath.Join(t.TempDir(), "sealed.json")
	require.NoError(t, newKeyset(t).SaveSealed(sealed, newKMS(t), ""))
	encrypted, err := os.ReadFile(sealed)
	require.NoError(t, err)
	const damaged = "it is damaged, or no cleartext Tink keyset in JSON"
	for name, test := range map[string]struct{ text, says string }{
		"empty":          {"", damaged},
		"cut":            {sound[:len(sound)/2], damaged},
		"changed":        {strings.Replace(sound, `"value":"`, `"value":"!`, 1), damaged},
		"no primary key": {strings.Replace(sound, `"primaryKeyId":`, `"primaryKeyId":1`, 1), damaged},
		"other JSON":     {`{"keys":["` + value + `"]}`, damaged},
		"no keys":        {"{}", damaged},
		"large":          {strings.Repeat(" ", 2<<20), "it has more than 1048576 bytes"},
		"for a MAC":      {other(t, mac.HMACSHA256Tag256KeyTemplate()), "its keys are not for AEAD: make a keyset of AES256_GCM keys"},
		"raw":            {other(t, raw), "has output prefix RAW: forge takes keys with prefix TINK"},
		"sealed":         {string(encrypted), "it is sealed by a KMS: use OpenSealed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "keyset.json")
			require.NoError(t, os.WriteFile(file, []byte(test.text), 0o600))
			_, err := tink.Open(file)
			require.ErrorContains(t, err, "keyset file "+file+": ")
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), value, "an error quotes no keys")
			require.NotContains(t, err.Error(), "value")
		})
	}
	_, err = tink.Open(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestFromEnv(t *testing.T) { // not parallel: the environment is the process's
	k := newKeyset(t)
	text := k.Text().Reveal()
	coded := base64.StdEncoding.EncodeToString([]byte(text))
	sealed := seal(t, k)
	for _, env := range []string{text, " " + text + "\n", coded, coded[:76] + "\n" + coded[76:] + "\n"} {
		t.Setenv("FORGE_KEYSET", env)
		again, err := tink.FromEnv("FORGE_KEYSET")
		require.NoError(t, err)
		requireOpens(t, again, sealed)
	}
	for env, says := range map[string]string{
		"":                 "it is empty",
		"no keyset":        "it is neither JSON nor base64",
		coded[:76]:         "it is damaged, or no cleartext Tink keyset in JSON",
		text[:len(text)-9]: "it is damaged, or no cleartext Tink keyset in JSON",
	} {
		t.Setenv("FORGE_KEYSET", env)
		_, err := tink.FromEnv("FORGE_KEYSET")
		require.EqualError(t, err, "keyset in environment variable FORGE_KEYSET: "+says)
	}
}

// newKMS is what a KMS is to Tink.
func newKMS(t *testing.T) tinkapi.AEAD {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	kms, err := aead.New(handle)
	require.NoError(t, err)
	return kms
}

func TestSealedByAKMS(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyset.json")
	kms := newKMS(t)
	k := newKeyset(t)
	require.NoError(t, k.SaveSealed(file, kms, "production"))
	again, err := tink.OpenSealed(file, kms, "production")
	require.NoError(t, err)
	requireOpens(t, again, seal(t, k))

	_, err = tink.OpenSealed(file, kms, "staging")
	require.ErrorContains(t, err, "sealed keyset file "+file+`: the KMS does not open it for place "staging"`)
	_, err = tink.OpenSealed(file, newKMS(t), "production")
	require.ErrorContains(t, err, `the KMS does not open it for place "production"`)

	require.ErrorContains(t, newKeyset(t).SaveSealed(file, kms, "production"), "which this one lacks")
	require.ErrorContains(t, again.SaveSealed(file, newKMS(t), "production"), "what is there cannot be replaced")
	rotated, err := again.Rotate()
	require.NoError(t, err)
	require.NoError(t, rotated.SaveSealed(file, kms, "production"))

	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(data), secret.New(rotated.Text().Reveal()).Reveal())
	for _, text := range []string{"", "{}", rotated.Text().Reveal(), string(data[:len(data)/2])} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err = tink.OpenSealed(file, kms, "production")
		require.ErrorContains(t, err, "it is damaged, or no encrypted Tink keyset in JSON")
	}
}
