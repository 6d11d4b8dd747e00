package stack

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// maxOwn is how many steps there can be before, and how many after the stack's.
const maxOwn = 50

// own returns the embedder's steps of one list. Their scripts are in the
// variables of the first step of all, and first is the number of the list's own.
func own(list []Step, first int) []step {
	steps := make([]step, len(list))
	for i, s := range list {
		steps[i] = step{name: s.Name, function: "own", args: []string{strconv.Itoa(first + i)}}
	}
	return steps
}

// ownSteps returns the embedder's steps before and after the stack's.
func (c Config) ownSteps() (before, after []step) {
	before, after = own(c.Before, 0), own(c.After, len(c.Before))
	var scripts, checks []string
	for _, list := range [][]Step{c.Before, c.After} {
		for _, s := range list {
			scripts, checks = append(scripts, s.Script), append(checks, s.Check)
		}
	}
	variables := []variable{words("own_scripts", scripts), words("own_checks", checks)}
	switch {
	case len(before) > 0:
		before[0].variables = variables
	case len(after) > 0:
		after[0].variables = variables
	}
	return before, after
}

func (c Config) checkOwn() error {
	if err := checkList("stack.before", c.Before); err != nil {
		return err
	}
	return checkList("stack.after", c.After)
}

func checkList(field string, list []Step) error {
	if len(list) > maxOwn {
		return invalid(field, "must be at most %d steps", maxOwn)
	}
	for i, s := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if _, err := validate.StepName(at+".name", s.Name); err != nil {
			return err
		}
		if err := checkBash(at+".script", s.Script); err != nil {
			return err
		}
		if s.Check == "" {
			continue
		}
		if err := checkBash(at+".check", s.Check); err != nil {
			return err
		}
	}
	return nil
}

// checkBash shows nothing of the script, which may hold secrets.
func checkBash(field, script string) error {
	if _, err := validate.Command(field, script); err != nil {
		return err
	}
	_, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	var parse syntax.ParseError
	switch {
	case errors.As(err, &parse):
		return invalid(field, "must be bash, and line %d of it is not", parse.Pos.Line())
	case err != nil:
		return invalid(field, "must be bash")
	}
	return nil
}

// unixLines ends the lines of the scripts as bash wants them.
func unixLines(list []Step) []Step {
	list = slices.Clone(list)
	for i := range list {
		list[i].Script = strings.ReplaceAll(list[i].Script, "\r\n", "\n")
		list[i].Check = strings.ReplaceAll(list[i].Check, "\r\n", "\n")
	}
	return list
}
