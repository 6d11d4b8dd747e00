package stack

import (
	"bytes"
	"embed"
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// The files in the run's directory that hold a password of 8 to 128 letters,
// digits, dashes and underscores.
const (
	PasswordFile      = "db_password"    // of the database user "forge"; needed with a database
	RedisPasswordFile = "redis_password" // of Redis; needed with Redis
)

//go:embed steps/*.sh
var files embed.FS

// Script is what a server runs as root, in a detached run.
type Script struct {
	Bytes []byte   // bash; reads the password files in $FORGE_RUN_DIR
	Steps []string // names of the steps in order; each begins with a line "step n of m: name"
}

// Build returns the script for a config. Its error is that of [Config.Validate].
func Build(c Config) (Script, error) {
	c = c.Normalize()
	if err := c.Validate(); err != nil {
		return Script{}, err
	}
	return c.script(c.steps())
}

// script puts steps of a config that was checked into a script.
func (c Config) script(steps []step) (Script, error) {
	var script Script
	for _, s := range steps {
		script.Steps = append(script.Steps, s.name)
	}

	var b bytes.Buffer
	b.WriteString("#!/bin/bash\nset -euo pipefail\numask 022\ncd /\n")
	b.WriteString("export HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\n")
	for name, value := range c.sortedProxyEnv() {
		text, err := quote([]string{value})
		if err != nil {
			return Script{}, err
		}
		fmt.Fprintf(&b, "export %s=%s\n", name, text)
	}
	variables := []variable{number("steps", len(steps))}
	for _, s := range steps {
		variables = append(variables, s.variables...)
	}
	if err := writeScript(&b, variables, c.files(steps)); err != nil {
		return Script{}, err
	}
	b.WriteByte('\n')
	for _, s := range steps {
		line, err := quote(append([]string{s.name, s.function}, s.args...))
		if err != nil {
			return Script{}, err
		}
		fmt.Fprintf(&b, "step %s\n", line)
	}
	b.WriteString("echo 'every step is done'\n")
	script.Bytes = b.Bytes()
	return script, nil
}

// writeScript writes variables, and the files that use them.
func writeScript(b *bytes.Buffer, variables []variable, names []string) error {
	for _, v := range variables {
		if err := v.write(b); err != nil {
			return err
		}
	}
	for _, name := range names {
		text, err := files.ReadFile("steps/" + name + ".sh")
		if err != nil {
			return err
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	return nil
}

// variable is a value of the config in the script: a word, or a list of words.
type variable struct {
	name  string
	words []string
	list  bool
}

func word(name, value string) variable { return variable{name: name, words: []string{value}} }

func number(name string, value int) variable { return word(name, strconv.Itoa(value)) }

func words(name string, values []string) variable {
	return variable{name: name, words: values, list: true}
}

func (v variable) write(b *bytes.Buffer) error {
	value, err := quote(v.words)
	if err != nil {
		return fmt.Errorf("%s: %w", v.name, err)
	}
	if v.list {
		fmt.Fprintf(b, "readonly -a %s=(%s)\n", v.name, value)
	} else {
		fmt.Fprintf(b, "readonly %s=%s\n", v.name, value)
	}
	return nil
}

// quote writes each word so that bash reads that one word again.
func quote(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		var err error
		if quoted[i], err = syntax.Quote(w, syntax.LangBash); err != nil {
			return "", err
		}
	}
	return strings.Join(quoted, " "), nil
}
