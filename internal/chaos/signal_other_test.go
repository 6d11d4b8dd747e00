//go:build !unix

package chaos

import "errors"

func (p *process) stop() error { return errors.ErrUnsupported }

func (p *process) wake() error { return errors.ErrUnsupported }
