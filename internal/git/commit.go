package git

import (
	"errors"
	"strings"
	"unicode"
)

// Commit is what is known of a commit. All of it but the hash is text of
// others.
type Commit struct {
	Hash    string // 40 or 64 hexadecimal digits
	Subject string // first paragraph as one line, at most 255 characters
	Author  string // name, at most 255 characters
}

// ParseHead reads the output of CheckAccess: the hash of the branch's newest
// commit. It returns an *Error with BranchMissing when there is no such branch.
func ParseHead(stdout []byte) (string, error) {
	hash, _, _ := strings.Cut(string(stdout), "\t")
	if hash == "" {
		return "", &Error{Outcome: BranchMissing, Detail: "the repository has no such branch"}
	}
	if !hashPattern.MatchString(hash) {
		return "", &Error{Outcome: Failed, Detail: "the git server's answer has no hash"}
	}
	return hash, nil
}

// ParseCommit reads the output of Fetch.
func ParseCommit(stdout []byte) (Commit, error) {
	hash, rest, _ := strings.Cut(string(stdout), "\x00")
	if !hashPattern.MatchString(hash) {
		return Commit{}, errors.New("the answer on the commit to be deployed has no hash")
	}
	author, subject, _ := strings.Cut(rest, "\x00")
	return Commit{Hash: hash, Subject: text(subject), Author: text(author)}, nil
}

// text makes one line of valid UTF-8 of what others wrote, without control
// characters and cut at a character's border.
func text(s string) string {
	const most = 255
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	s = strings.TrimSpace(s)
	n := 0
	for i := range s {
		if n == most {
			return s[:i]
		}
		n++
	}
	return s
}
