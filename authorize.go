package forge

import (
	"context"
	"errors"
)

// Access is what a service is asked for.
type Access struct {
	// Owner is that of For; empty for the Forge of New, which sees all.
	Owner string
	// Actor is that of As.
	Actor string
	// Method is what is called, as "Servers.Delete" or "Forge.Events".
	Method string
	// Subjects are the records that the call names by their ids, its own first:
	// none for a list, and for what makes a server or a key. Whether they exist, and
	// whose they are, was not looked at yet.
	Subjects []Subject
}

// ask asks Config.Authorize, and returns the Forge that does what was asked for,
// which is not asked again for the parts of it.
func (f *Forge) ask(ctx context.Context, method string, subjects ...Subject) (*Forge, error) {
	if f.core.Authorize == nil || f.asked {
		return f, nil
	}
	err := f.core.Authorize(ctx, Access{Owner: f.owner, Actor: f.actor, Method: method, Subjects: subjects})
	var ours *Error
	switch {
	case err == nil:
		return f.unasked(), nil
	case errors.As(err, &ours):
		return nil, err
	}
	return nil, &Error{Class: ErrDenied, Rule: method, Err: err}
}

// unasked is a Forge for what needs no permission, or has it.
func (f *Forge) unasked() *Forge {
	return newScope(&Forge{core: f.core, scoped: f.scoped, owner: f.owner, actor: f.actor, asked: true})
}
