package main

import (
	"context"
	"fmt"
)

// samples are what the runs of a trial came to, in the order of the rounds.
type samples struct {
	ours   []float64
	peers  [][]float64
	gauges [][]float64
}

// alternate runs ours and the peers in turn, so that what else this computer does
// meets all of them alike. Every other round goes the other way round. A first
// round does not count, as it finds cold caches and no connections.
func (t *trial) alternate(ctx context.Context, n int) (*samples, error) {
	s := &samples{peers: make([][]float64, len(t.peers)), gauges: make([][]float64, len(t.gauges))}
	for round := range n + 1 {
		if err := t.round(ctx, s, round%2 == 1); err != nil {
			return nil, fmt.Errorf("round %d of %d: %w", round, n, err)
		}
		if round == 0 {
			*s = samples{peers: make([][]float64, len(t.peers)), gauges: make([][]float64, len(t.gauges))}
		}
	}
	return s, nil
}

func (t *trial) round(ctx context.Context, s *samples, backwards bool) error {
	for i := range len(t.peers) + 1 {
		if backwards {
			i = len(t.peers) - i
		}
		if i == 0 {
			if err := t.runOurs(ctx, s); err != nil {
				return err
			}
			continue
		}
		p := t.peers[i-1]
		value, err := p.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		s.peers[i-1] = append(s.peers[i-1], value)
	}
	return nil
}

func (t *trial) runOurs(ctx context.Context, s *samples) error {
	value, err := t.ours(ctx)
	if err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	s.ours = append(s.ours, value)
	for i, g := range t.gauges {
		value, err := g.read()
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		s.gauges[i] = append(s.gauges[i], value)
	}
	return nil
}
