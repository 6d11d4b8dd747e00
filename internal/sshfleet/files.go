package sshfleet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

const sshdProgram = "/usr/sbin/sshd"

// file is one that every host has for itself.
type file struct {
	path    string
	content []byte
	mode    os.FileMode
	owner   int // user and group
}

type user struct {
	name, home string
	id         int
}

func users() []user {
	return []user{{"root", "/root", 0}, {"forge", "/home/forge", 1000}, {"deploy", "/home/deploy", 1001}}
}

// sharedFiles are those that are the same on all hosts: the accounts, which are
// this machine's system accounts and users(), and who may log in.
func sharedFiles(key ssh.PublicKey) ([]file, error) {
	passwd, err := systemAccounts("/etc/passwd")
	if err != nil {
		return nil, err
	}
	group, err := systemAccounts("/etc/group")
	if err != nil {
		return nil, err
	}
	files := make([]file, 0, 6)
	for _, u := range users() {
		passwd = fmt.Appendf(passwd, "%s:x:%d:%d::%s:/bin/bash\n", u.name, u.id, u.id, u.home)
		group = fmt.Appendf(group, "%s:x:%d:\n", u.name, u.id)
		files = append(files, file{u.home + "/.ssh/authorized_keys", ssh.MarshalAuthorizedKey(key), 0o600, u.id})
	}
	var shadow bytes.Buffer
	for line := range bytes.Lines(passwd) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		fmt.Fprintf(&shadow, "%s:*:20000:0:99999:7:::\n", name) // no password, and not locked
	}
	return append(files,
		file{path: "/etc/passwd", content: passwd, mode: 0o644},
		file{path: "/etc/group", content: group, mode: 0o644},
		file{path: "/etc/shadow", content: shadow.Bytes(), mode: 0o600},
	), nil
}

// systemAccounts returns the lines of passwd or group that are no person's.
func systemAccounts(name string) ([]byte, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var kept []byte
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 || fields[0] == "root" || fields[0] == "forge" || fields[0] == "deploy" {
			continue
		}
		const firstPerson, nobody = 1000, 65534
		if id, err := strconv.Atoi(strings.TrimSpace(fields[2])); err == nil && (id < firstPerson || id == nobody) {
			kept = append(kept, line...)
		}
	}
	return kept, nil
}

// sshdConfig is that of a usual server, but for limits that many connections
// from one address would run into. Each host's address is still to be added. What
// a Fault changes is included first, as sshd takes the first of several values.
func sshdConfig() (string, error) {
	config := "Include " + faultDir + `/*.conf
LogLevel VERBOSE
PidFile ` + pidFile + `
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 1000
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
`
	// Before 9.8 sshd refuses the option, and cannot be asked without a host key.
	program, err := os.ReadFile(sshdProgram)
	if err != nil {
		return "", err
	}
	if bytes.Contains(program, []byte("persourcepenalties")) {
		config += "PerSourcePenalties no\n"
	}
	return config, nil
}

// newKey returns a key and its file.
func newKey() (ssh.Signer, []byte, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, nil, err
	}
	return signer, pem.EncodeToMemory(block), nil
}
