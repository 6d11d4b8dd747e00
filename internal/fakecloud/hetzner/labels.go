package hetzner

import (
	"regexp"
	"strings"
)

var (
	labelKey   = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?/)?[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$`)
	labelValue = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?$`)
)

func validLabels(labels map[string]string) bool {
	for key, value := range labels {
		if !labelKey.MatchString(key) || !labelValue.MatchString(value) {
			return false
		}
	}
	return true
}

// selects reports whether labels fit a selector: all of its parts, each a key that
// has to be there, or a key and the value that it has to have.
func selects(selector string, labels map[string]string) bool {
	if selector == "" {
		return true
	}
	for part := range strings.SplitSeq(selector, ",") {
		key, want, valued := strings.Cut(part, "=")
		value, there := labels[key]
		if !there || valued && value != strings.TrimPrefix(want, "=") {
			return false
		}
	}
	return true
}
