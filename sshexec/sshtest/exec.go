package sshtest

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"mvdan.cc/sh/v3/shell"
)

// Handler runs a command and returns its exit status. Its context ends with
// the connection.
type Handler func(ctx context.Context, cmd *Exec) int

// Exec is a command that a client asks for.
type Exec struct {
	Login  string // who logged in
	Line   string // what came over the wire
	Script string // the script of sshexec's Client.Run; otherwise Line
	Args   []string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// parse takes script and arguments out of what Client.Run sends.
func (e *Exec) parse() {
	e.Script = e.Line
	_, command, ok := strings.Cut(e.Line, "; exec ")
	if !ok {
		return
	}
	command, document, here := cutHere(command)
	words, err := shell.Fields(command, func(string) string { return "" })
	if err != nil {
		return
	}
	if here {
		words = slices.Concat([]string{"perl", "-e", document, "--"}, words[2:])
	}
	for i, word := range words {
		if _, script, ok := strings.Cut(word, "|| cd /; "); ok && strings.HasPrefix(word, "export PATH=") && i+2 <= len(words) {
			e.Script, e.Args = script, words[i+2:] // words[i+1] is $0
			return
		}
		if before, script, ok := strings.Cut(word, "\n#line 1 \"script\"\n"); ok && i > 0 && words[i-1] == "-e" && i+2 <= len(words) {
			e.Script, e.Args = script, words[i+2:] // words[i+1] is --
			if !strings.HasPrefix(before, "BEGIN { @ENV") && len(e.Args) >= 3 {
				e.Args = e.Args[3:] // those of the fence
			}
			return
		}
	}
}

// hereMark begins a here-document of Client.Run.
var hereMark = regexp.MustCompile(` 3<<'([A-Z0-9]+)'\n`)

// cutHere takes the here-document off a command that has one.
func cutHere(command string) (words, document string, ok bool) {
	at := hereMark.FindStringSubmatchIndex(command)
	if at == nil || !strings.HasPrefix(command, "perl /dev/fd/3 ") {
		return command, "", false
	}
	return command[:at[0]], strings.TrimSuffix(command[at[1]:], "\n"+command[at[2]:at[3]]+"\n"), true
}

// session serves one session until its command is done. As sshd does, it gives
// the session's place back before it says that the session is closed.
func (s *Server) session(ctx context.Context, login string, newChannel ssh.NewChannel, free func()) {
	defer free()
	ch, requests, err := newChannel.Accept()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	for req := range requests {
		var msg struct{ Text string }
		_ = ssh.Unmarshal(req.Payload, &msg)
		sftp := req.Type == "subsystem" && msg.Text == "sftp" ||
			req.Type == "exec" && strings.Contains(msg.Text, "/sftp-server")
		known := (sftp || req.Type == "exec") && !s.current().RefuseCommands
		if req.WantReply {
			_ = req.Reply(known, nil)
		}
		if !known {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		gone := make(chan struct{})
		go func() { // the client closes the session, or is gone
			ssh.DiscardRequests(requests)
			cancel()
			close(gone)
		}()
		e := &Exec{Login: login, Line: msg.Text, Stdin: ch, Stdout: ch, Stderr: ch.Stderr()}
		status := exitStatus{}
		switch {
		case sftp:
			s.serveFiles(ch)
		case s.opts.Shell:
			status = runShell(ctx, e, func(status exitStatus) { s.tell(ch, status) })
		default:
			e.parse()
			if status.code, known = s.serveRun(ctx, e); !known {
				status.code = s.opts.Handler(ctx, e)
			}
		}
		if !status.told {
			s.tell(ch, status)
		}
		free()
		_ = ch.Close()
		<-gone
		return
	}
}

type exitStatus struct {
	code   int
	signal string
	told   bool
}

// tell tells the client how its command ended.
func (s *Server) tell(ch ssh.Channel, status exitStatus) {
	f := s.current()
	if f.NoExitStatus {
		return
	}
	if f.Signal != "" {
		status.signal = f.Signal
	}
	if status.signal != "" {
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal         string
			Core           bool
			Text, Language string
		}{Signal: status.signal}))
		return
	}
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(status.code)}))
}
