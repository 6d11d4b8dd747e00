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
// order with an error or with what was measured.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// answer has no error when all is well.
type answer struct {
	Error string
	Value float64
}

func start(role string, settings any) (*process, error) {
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
	if err := p.tell(settings); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// tell gives an order and waits until it is carried out.
func (p *process) tell(order any) error {
	_, err := p.ask(order)
	return err
}

// ask gives an order and returns what it measured.
func (p *process) ask(order any) (float64, error) {
	if err := p.orders.Encode(order); err != nil {
		return 0, err
	}
	var a answer
	if err := p.answers.Decode(&a); err != nil {
		return 0, fmt.Errorf("the process does not answer: %w", err)
	}
	if a.Error != "" {
		return 0, errors.New(a.Error)
	}
	return a.Value, nil
}

// end asks the process to end, and waits for that.
func (p *process) end() error { return errors.Join(p.stdin.Close(), p.cmd.Wait()) }

func (p *process) proc(file string) string {
	return "/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/" + file
}

// forgetPeak makes the peak that the process has now the one of what follows.
func (p *process) forgetPeak() error { return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0) }

// peak is the most memory that the process has had, in MiB.
func (p *process) peak() (mib float64, err error) { return p.memory("VmHWM:") }

// resident is the memory that it has, in MiB.
func (p *process) resident() (mib float64, err error) { return p.memory("VmRSS:") }

func (p *process) memory(field string) (mib float64, err error) {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), field)
	_, err = fmt.Sscan(rest, &mib)
	return mib / 1024, err
}
