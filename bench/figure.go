package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// figure is what came out of a row against one peer.
type figure struct {
	Name     string  `json:"name"`
	Ours     float64 `json:"ours"` // median of the runs
	Peer     float64 `json:"peer"` // the same
	PeerName string  `json:"peer_name"`
	Unit     string  `json:"unit"`
	Ratio    float64 `json:"ratio"`  // Ours / Peer
	N        int     `json:"n"`      // runs of each
	Spread   float64 `json:"spread"` // between the rounds' highest and lowest ratio, as a part of Ratio

	target target
}

// newFigure compares the runs of ours and of a peer, which are of the same rounds.
func newFigure(name, unit, peerName string, ours, peer []float64) figure {
	f := figure{
		Name: name, Unit: unit, PeerName: peerName, N: len(ours), Ours: median(ours), Peer: median(peer),
	}
	f.Ratio = f.Ours / f.Peer
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / peer[i]
	}
	f.Spread = (slices.Max(ratios) - slices.Min(ratios)) / f.Ratio
	return f
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// printer prints one figure.
type printer func(w io.Writer, f figure) error

func printJSON(w io.Writer, f figure) error { return json.NewEncoder(w).Encode(f) }

// printTable prints a line of a table that says in itself what is what, so that
// it can be read while the next ones are measured.
func printTable(w io.Writer, f figure) error {
	_, err := fmt.Fprintf(w, "%-22s %9.3g %-5s %-23s %9.3g %-5s ratio %6.3g ±%3.0f%%  n %d%s\n",
		f.Name, f.Ours, f.Unit, f.PeerName, f.Peer, f.Unit, f.Ratio, 50*f.Spread, f.N, f.target.verdict(f.Ratio))
	return err
}
