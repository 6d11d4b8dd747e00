package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// process is this program once more, in a role. It gets its settings, and then
// orders, as JSON on its standard input, whose end is its own, and answers each
// order with an error or none.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// answer is empty when all is well.
type answer struct{ Error string }

func start(role string, s settings) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, "-role", role)}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.orders, p.answers = json.NewEncoder(p.stdin), json.NewDecoder(stdout)
	if err := p.tell(s); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// tell gives an order and waits until it is carried out.
func (p *process) tell(order any) error {
	if err := p.orders.Encode(order); err != nil {
		return err
	}
	var a answer
	if err := p.answers.Decode(&a); err != nil {
		return fmt.Errorf("the process does not answer: %w", err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// end asks the process to end, and waits for that.
func (p *process) end() error { return errors.Join(p.stdin.Close(), p.cmd.Wait()) }

func (p *process) proc(file string) string {
	return "/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/" + file
}

// forgetPeak makes the peak that the process has now the one of what follows.
func (p *process) forgetPeak() error { return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0) }

// peak is the most memory that the process has had, in MiB.
func (p *process) peak() (mib float64, err error) {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, err = fmt.Sscan(rest, &mib)
	return mib / 1024, err
}
