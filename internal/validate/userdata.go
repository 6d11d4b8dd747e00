package validate

import (
	"strings"
	"unicode/utf8"
)

// MaxUserData is the most that any cloud takes, in bytes; some take less.
const MaxUserData = 64 << 10

// UserData checks what cloud-init is to do. Its error does not quote it, as it
// may hold secrets.
func UserData(field, value string) (string, error) {
	switch {
	case len(value) > MaxUserData:
		return "", hidden(field, "must have at most %d bytes", MaxUserData)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return "", hidden(field, "must be text in UTF-8, neither compressed nor binary")
	case !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "Content-Type:") && !strings.HasPrefix(value, "MIME-Version:"):
		return "", hidden(field, "must begin with what it is, as \"#cloud-config\" or \"#!/bin/sh\"")
	}
	return value, nil
}
