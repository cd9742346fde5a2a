// Storetool looks at the directory of a store of package filestore, and saves
// what can be read of a damaged one. Nobody may have the store open meanwhile.
//
//	storetool inspect dir
//	storetool verify dir
//	storetool salvage from to
//
// It ends with status 1 if there is damage or something fails, and with 2 if it
// is called wrongly.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/restantemq/restante/queue/filestore"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `usage:
  storetool inspect dir     what is in a store
  storetool verify dir      the same, and whether all of it can be read
  storetool salvage from to make a new store of what can be read
`

// run does what args say and returns the exit status.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var r filestore.Report
	var err error
	switch {
	case len(args) == 2 && args[0] == "inspect":
		r, err = filestore.Inspect(args[1])
	case len(args) == 2 && args[0] == "verify":
		r, err = filestore.Verify(ctx, args[1])
	case len(args) == 3 && args[0] == "salvage":
		r, err = filestore.Salvage(ctx, args[1], args[2])
	default:
		fmt.Fprint(errs, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	show(out, &r, args[0] != "inspect")
	if len(r.Damage) > 0 {
		return 1
	}
	return 0
}

// show prints a report. read says that the records were read.
func show(out io.Writer, r *filestore.Report, read bool) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var size, needed int64
	for _, g := range r.Segments {
		size += g.Size
		needed += g.Needed
	}
	ending := "was not closed"
	if r.Clean {
		ending = "was closed"
	}
	fmt.Fprintf(t, "The store %s. %d segments of %d bytes, %d of them needed; %d spare files.\n\n",
		ending, len(r.Segments), size, needed, r.Spares)
	fmt.Fprintln(t, "SEGMENT\tSIZE\tUSED\tNEEDED")
	for _, g := range r.Segments {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\n", g.Epoch, g.Size, g.Used, g.Needed)
	}
	fmt.Fprintln(t, "\nQUEUE\tKIND\tMESSAGES\tREAD\tNEXT\tNAME")
	for _, q := range r.Queues {
		n := "-"
		if read {
			n = fmt.Sprint(q.Read)
		}
		fmt.Fprintf(t, "%d\t%v\t%d\t%s\t%d\t%q\n", q.Number, q.Kind, q.Messages, n, q.Next, q.Name)
	}
	fmt.Fprintln(t)
	for _, d := range r.Damage {
		fmt.Fprintln(t, d)
	}
	if len(r.Damage) == 0 {
		fmt.Fprintln(t, "No damage found.")
	}
	_ = t.Flush() // what can't be printed can't be told either
}
