package nginx

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote returns value as one word of an nginx configuration. What nginx cannot
// represent is an error: it has no escape for the dollar sign, which begins a
// variable, and control characters have no place in a value.
func Quote(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("%q cannot stand in an nginx configuration: it is not valid UTF-8", value)
	}
	for _, r := range value {
		if r == '$' || unicode.IsControl(r) {
			return "", fmt.Errorf("%q cannot stand in an nginx configuration: it has the character %q", value, r)
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`, nil
}
