package validate

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What texts can be at most.
const (
	MaxName    = 255      // characters of a display name
	MaxKey     = 255      // bytes of an idempotency key or an owner
	MaxScript  = 1 << 20  // bytes of a deploy script
	MaxCommand = 64 << 10 // bytes of a command
	MaxLabel   = 63       // bytes of a label's key and of its value
	MaxStep    = 60       // characters of the name of a step
)

var (
	labelPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)
	tokenPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	phpPattern   = regexp.MustCompile(`^[1-9]\.[0-9]{1,2}$`)
	hashPattern  = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// DisplayName checks a name that is only shown to people. Space around it is
// removed.
func DisplayName(field, value string) (string, error) {
	name := strings.TrimSpace(value)
	switch {
	case name == "":
		return "", hidden(field, required)
	case !printable(name):
		return "", hidden(field, "must be printable text without control characters")
	case utf8.RuneCountInString(name) > MaxName:
		return "", hidden(field, "must have at most %d characters", MaxName)
	}
	return name, nil
}

// StepName checks the name of a step of an installation, which is shown as it
// is, in one line.
func StepName(field, value string) (string, error) {
	switch {
	case value == "":
		return "", hidden(field, required)
	case !printable(value) || strings.TrimSpace(value) != value:
		return "", hidden(field, "must be one line of printable text, without space around it")
	case utf8.RuneCountInString(value) > MaxStep:
		return "", hidden(field, "must have at most %d characters", MaxStep)
	}
	return value, nil
}

// unprintable reports whether a character is invisible, a control or no
// character at all. The joiner belongs to emoji.
func unprintable(r rune) bool {
	return r != '\u200d' && !unicode.IsPrint(r) || r == utf8.RuneError
}

// Owner checks the id of an owner, which is the embedder's own.
func Owner(field, value string) (string, error) { return key(field, value) }

// IdempotencyKey checks the key by which a create is repeated safely.
func IdempotencyKey(field, value string) (string, error) { return key(field, value) }

func key(field, value string) (string, error) {
	switch {
	case value == "":
		return "", hidden(field, required)
	case len(value) > MaxKey:
		return "", hidden(field, "must have at most %d characters", MaxKey)
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", hidden(field, "must be printable ASCII without spaces")
	}
	return value, nil
}

// LabelKey checks the key of a label.
func LabelKey(field, value string) (string, error) {
	if value == "" {
		return "", hidden(field, "must have no empty key")
	}
	return LabelValue(field, value)
}

// LabelValue checks the value of a label, which may be empty.
func LabelValue(field, value string) (string, error) {
	if value != "" && (len(value) > MaxLabel || !labelPattern.MatchString(value)) {
		return "", broken(field, value, "must be at most %d letters, digits, dots, dashes, underscores and slashes, "+
			"with a letter or digit at both ends", MaxLabel)
	}
	return value, nil
}

// Token checks a name that a provider gave: a region, a size or an image.
func Token(field, value string) (string, error) {
	switch {
	case value == "":
		return "", hidden(field, required)
	case !tokenPattern.MatchString(value):
		return "", broken(field, value, "must be at most 64 lower-case letters, digits, dots, dashes and underscores, "+
			"with a letter or digit first")
	}
	return value, nil
}

// PHPVersion checks the form of a version of PHP. Whether a server can have it
// is not known here.
func PHPVersion(field, value string) (string, error) {
	if !phpPattern.MatchString(value) {
		return "", broken(field, value, `must be a version such as "8.2"`)
	}
	return value, nil
}

// Commit checks the full hash of a commit, and folds it to lower case.
func Commit(field, value string) (string, error) {
	hash := strings.ToLower(value)
	if !hashPattern.MatchString(hash) {
		return "", broken(field, value, "must be the full hash of a commit, 40 or 64 hexadecimal digits")
	}
	return hash, nil
}

// DeployScript checks a deploy script, and ends its lines as Unix does.
func DeployScript(field, value string) (string, error) { return script(field, value, MaxScript) }

// Command checks a script that a caller runs, and ends its lines as Unix does.
func Command(field, value string) (string, error) { return script(field, value, MaxCommand) }

// script never shows the value, which may hold secrets.
func script(field, value string, limit int) (string, error) {
	switch {
	case strings.TrimSpace(value) == "":
		return "", hidden(field, required)
	case len(value) > limit:
		return "", hidden(field, "must have at most %d bytes", limit)
	case strings.Contains(value, "\x00"):
		return "", hidden(field, "must not have NUL bytes")
	case !utf8.ValidString(value):
		return "", hidden(field, "must be UTF-8")
	}
	return strings.ReplaceAll(value, "\r\n", "\n"), nil
}
