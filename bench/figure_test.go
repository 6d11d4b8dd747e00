package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFigureComparesMedians(t *testing.T) {
	t.Parallel()
	f := newFigure("row", "s", "peer", []float64{3, 1, 2}, []float64{1, 1, 4})
	require.Equal(t, figure{
		Name: "row", Ours: 2, Peer: 1, PeerName: "peer", Unit: "s", Ratio: 2, N: 3,
		Spread: (3 - 0.5) / 2., // of 3/1, 1/1 and 2/4
	}, f)
	require.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)

	var out bytes.Buffer
	require.NoError(t, printJSON(&out, f))
	require.JSONEq(t, `{"name":"row","ours":2,"peer":1,"peer_name":"peer","unit":"s","ratio":2,"n":3,"spread":1.25}`, out.String())
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	out.Reset()
	require.NoError(t, printTable(&out, f))
	require.Regexp(t, `^row +2 s +peer +1 s +ratio +2 .* n 3\n$`, out.String())
}

// turns notes who runs, and counts up in what each run comes to.
type turns struct {
	order []string
	count map[string]float64
}

func (t *turns) run(name string) measure {
	return func(context.Context) (float64, error) {
		t.order = append(t.order, name)
		t.count[name]++
		return t.count[name], nil
	}
}

func TestRunsAlternate(t *testing.T) {
	t.Parallel()
	all := &turns{count: map[string]float64{}}
	closed := 0
	r := row{name: "row", unit: "s", also: []string{"memory"}, setup: func(context.Context, *lab) (*trial, error) {
		return &trial{
			ours:  all.run("ours"),
			peers: []peer{{"a", all.run("a")}, {"floor", all.run("floor")}},
			gauges: []gauge{{"memory", "MiB", 4, func() (float64, error) {
				return 2 * all.count["ours"], nil
			}}},
			close: func() error { closed++; return nil },
		}, nil
	}}
	var got []figure
	err := measureAll(t.Context(), &lab{}, []row{r}, 3, func(f figure) error { got = append(got, f); return nil })
	require.NoError(t, err)
	require.Equal(t, 1, closed)
	require.Equal(t, "ours a floor floor a ours ours a floor floor a ours", strings.Join(all.order, " "))
	require.Equal(t, []figure{
		{Name: "row", Ours: 3, Peer: 3, PeerName: "a", Unit: "s", Ratio: 1, N: 3},
		{Name: "row", Ours: 3, Peer: 3, PeerName: "floor", Unit: "s", Ratio: 1, N: 3},
		{Name: "memory", Ours: 6, Peer: 4, PeerName: "bound", Unit: "MiB", Ratio: 1.5, N: 3, Spread: 1 / 1.5, target: target{most: 1}},
	}, got, "the first round does not count")
}

func TestRowsThatFail(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fails := func(context.Context) (float64, error) { return 0, broken }
	works := func(context.Context) (float64, error) { return 1, nil }
	for name, tr := range map[string]*trial{
		"ours":   {ours: fails},
		"a peer": {ours: works, peers: []peer{{"a", fails}}},
		"gauge":  {ours: works, gauges: []gauge{{name: "a", read: func() (float64, error) { return 0, broken }}}},
		"close":  {ours: works, close: func() error { return broken }},
	} {
		r := row{setup: func(context.Context, *lab) (*trial, error) { return tr, nil }}
		err := measureAll(t.Context(), &lab{}, []row{r}, 1, func(figure) error { return nil })
		require.ErrorIs(t, err, broken, name)
	}
}

func TestRowsAreChosenByName(t *testing.T) {
	t.Parallel()
	all := []row{{name: "a"}, {name: "b", also: []string{"c"}}}
	chosen, err := choose(all, nil)
	require.NoError(t, err)
	require.Len(t, chosen, 2)
	chosen, err = choose(all, []string{"c"})
	require.NoError(t, err)
	require.Len(t, chosen, 1)
	require.Equal(t, "b", chosen[0].name)
	_, err = choose(all, []string{"a", "d"})
	require.ErrorContains(t, err, `"d", only: a, b, c`)
}
