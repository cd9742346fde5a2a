// Outage shows why one puts a queue between two services: one of them goes down
// for a second, and the picture says what became of the work meanwhile.
//
//	go run ./examples/outage [-downtime 1s] [-duration 3s] [-rate 50] [-svg FILE]
//
// Service A takes orders from customers, service B does them. Both are HTTP
// servers on the loopback. There are two pairs of them, which live through the
// same at the same time:
//
//   - direct: A calls B, and answers the customer when B has answered. While B
//     is down the call fails, the customer gets 502 Bad Gateway, and the order is
//     lost.
//   - queue: A sends the order to a queue, and answers 202 Accepted. Workers
//     receive from the queue, call B, and delete what B has done. While B is down
//     their calls fail, and the orders go back to the queue for a moment. None is
//     lost: they wait, and are done when B is there again.
//
// B really goes down: its listener is closed, connections are refused, and the
// requests in its hands are cut off. After -downtime it listens again at the
// same address. What it has recorded stays, as in a database.
//
// B records an order before it answers. When the answer is cut off, whoever
// called can't know that the order was done. In the direct pair its customer is
// told of a failure that was none. The worker brings the order again, because a
// queue delivers at least once; so B knows orders by their numbers, and a second
// time changes nothing.
//
// The queue is in memory, in A's process, so it outlives B. What outlives A as
// well is a queue over files: see examples/service.
//
// Lost is what customers sent and B has no record of, number by number. If that
// is not nothing with the queue, the exit status is 1.
//
// Read service_a.go first, where one function calls B and another one sends to
// the queue, then worker.go and service_b.go, and run.go, which lets it all
// happen. timeline.go counts, picture.go and svg.go draw.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr, isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""))
}

// command is the program without its process. It returns the exit status.
func command(ctx context.Context, args []string, out, errOut io.Writer, colour bool) int {
	s, svg, err := parse(args, out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(errOut, "outage: %v\nrun it with -h for help\n", err)
		return 2
	}
	if err := start(ctx, s, svg, out, colour); err != nil {
		fmt.Fprintln(errOut, "outage:", err)
		return 1
	}
	return 0
}

// parse reads the flags. Its error names the one that is wrong. When help is
// asked for, it writes that to out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (s settings, svg string, err error) {
	flags := flag.NewFlagSet("outage", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&s.downtime, "downtime", time.Second, "how long B is down, half-way through; 0 means not at all")
	flags.DurationVar(&s.duration, "duration", 3*time.Second, "how long customers send orders")
	flags.IntVar(&s.rate, "rate", 50, "they send `N` orders a second")
	flags.StringVar(&svg, "svg", "", "write the picture to `FILE`, too")
	flags.Usage = func() {} // below, and only when asked for
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, `usage: outage [-downtime 1s] [-duration 3s] [-rate 50] [-svg FILE]

Two services, and one is down for a while: what becomes of the work when the
other one calls it, and what with a queue in between?

`)
		flags.SetOutput(out)
		flags.PrintDefaults()
		fmt.Fprint(out, `
Exit status: 0; 1 if an order was lost in spite of the queue, or if something
else went wrong; 2 if the flags are wrong.
`)
		return s, "", err
	case err != nil:
		return s, "", err
	}
	if flags.NArg() > 0 {
		return s, "", fmt.Errorf("%q: there are no arguments, only flags", flags.Arg(0))
	}
	return s, svg, s.check()
}

// start lets it happen, and shows the picture.
func start(ctx context.Context, s settings, svg string, out io.Writer, colour bool) error {
	fmt.Fprintf(out, "%s.\n\n", s)
	histories, err := run(ctx, s)
	if err != nil {
		return err
	}
	t := newTimeline(s, histories)
	if _, err := io.WriteString(out, draw(t, colour)); err != nil {
		return err
	}
	if svg != "" {
		if err := os.WriteFile(svg, []byte(drawSVG(t)), 0o644); err != nil {
			return err
		}
	}
	return t.verdict()
}

// isTerminal reports whether f is a terminal, or another character device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
