package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one thing that is measured.
type row struct {
	name  string
	unit  string
	also  []string // the names of the gauges of its trial
	setup func(ctx context.Context, l *lab) (*trial, error)
}

// measure is one run, and what it came to in the unit of its row.
type measure func(ctx context.Context) (float64, error)

// trial is a row that is set up.
type trial struct {
	ours   measure
	peers  []peer
	gauges []gauge
	close  func() error // may be nil
}

// peer is what people would use in place of ours. The one called "floor" does the
// least that would have to be done.
type peer struct {
	name string
	run  measure
}

// boundName stands in a peer's place where there is but a number to stay under.
const boundName = "bound"

// gauge is something else to be seen of each run of ours, as the memory that it
// took, and how much it may be.
type gauge struct {
	name  string
	unit  string
	bound float64
	read  func() (float64, error)
}

// timed measures a function's time in seconds.
func timed(fn func(ctx context.Context) error) measure {
	return func(ctx context.Context) (float64, error) {
		began := time.Now()
		err := fn(ctx)
		return time.Since(began).Seconds(), err
	}
}

// choose selects rows by their names or those of their gauges. None means all.
func choose(all []row, names []string) (chosen []row, err error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, r := range all {
		known = append(append(known, r.name), r.also...)
		if slices.ContainsFunc(names, func(name string) bool { return name == r.name || slices.Contains(r.also, name) }) {
			chosen = append(chosen, r)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no row %q, only: %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// measureAll measures rows, one after the other.
func measureAll(ctx context.Context, l *lab, rows []row, n int, each func(figure) error) error {
	for _, r := range rows {
		figures, err := r.measure(ctx, l, n)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		for _, f := range figures {
			if err := each(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r row) measure(ctx context.Context, l *lab, n int) (figures []figure, err error) {
	t, err := r.setup(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	if t.close != nil {
		defer func() { err = errors.Join(err, t.close()) }()
	}
	s, err := t.alternate(ctx, n)
	if err != nil {
		return nil, err
	}
	meant := targets(r.name)
	for i, p := range t.peers {
		f := newFigure(r.name, r.unit, p.name, s.ours, s.peers[i])
		f.target = meant[p.name]
		delete(meant, p.name)
		figures = append(figures, f)
	}
	if len(meant) > 0 && !l.some {
		return nil, fmt.Errorf("there is a target, and no peer: %v", meant)
	}
	for i, g := range t.gauges {
		f := newFigure(g.name, g.unit, boundName, s.gauges[i], slices.Repeat([]float64{g.bound}, n))
		f.target.most = 1
		figures = append(figures, f)
	}
	return figures, nil
}
