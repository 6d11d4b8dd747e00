// Bench measures forge against what people would use in its place, on this
// computer, in one session, so that what counts is the ratio of the two.
//
//	bench            measure all, and print a table
//	bench NAME...    measure these
//	bench -json      print an object a line
//	bench -n 9       of so many runs each
//
// It needs root on Debian or Ubuntu, as some of it makes machines. Nothing of them
// is left.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	n := flag.Int("n", 5, "how often each side runs")
	asJSON := flag.Bool("json", false, "print an object a line")
	role := flag.String("role", "", "what a process is that bench itself starts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *role != "":
		err = play(ctx, *role)
	case *asJSON:
		err = run(ctx, os.Stdout, flag.Args(), *n, printJSON)
	default:
		err = run(ctx, os.Stdout, flag.Args(), *n, printTable)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // nothing is left that stop would end
	}
}

// rows are all that is measured.
func rows() []row {
	return slices.Concat([]row{stream(), streamPostgres(), uploadLarge(), uploadMany()}, deployRows(), queueRows(), fleetRows())
}

func run(ctx context.Context, w io.Writer, names []string, n int, each printer) error {
	chosen, err := choose(rows(), names)
	if err != nil {
		return err
	}
	l, err := newLab(os.Stderr)
	if err != nil {
		return err
	}
	err = measureAll(ctx, l, chosen, n, func(f figure) error { return each(w, f) })
	return l.close(err)
}
