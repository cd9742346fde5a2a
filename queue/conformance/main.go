// Conformance runs the rows of queue/conformance/wire, which say what Amazon SQS does,
// against any endpoint, and prints which of them hold there.
//
//	go run github.com/restantemq/restante/queue/conformance@latest -endpoint http://localhost:9324
//
// It creates queues whose names begin with c, some letters and digits and a hyphen,
// and deletes them when it is done with them. Time is real: rows that wait longer in
// all than -wait are skipped, and so are those that need what only some hosts can
// give, a service with certain options for instance. The rest takes some seconds; with
// -wait 1m it takes some minutes and leaves out little.
//
// It exits with status 1 if rows failed, and with 2 if it was not called as it has to
// be or the endpoint can't be reached.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/restantemq/restante/queue/conformance/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(conformance(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are what the command line says.
type settings struct {
	endpoint *endpoint
	plan     plan
	json     bool
}

// conformance is the command; it returns the exit status.
func conformance(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stderr, "conformance: %v\n", err)
		}
		return 2
	}
	return s.run(ctx, stdout, stderr)
}

// run runs the rows and prints what has come of them.
func (s *settings) run(ctx context.Context, stdout, stderr io.Writer) int {
	prefix := newPrefix()
	if err := s.endpoint.probe(ctx, prefix+"probe", s.plan.protocols); err != nil {
		fmt.Fprintf(stderr, "conformance: %s: %v\n", s.endpoint.base, err)
		return 2
	}
	start := time.Now()
	results, found := s.plan.run(ctx, s.endpoint, prefix, stderr)
	r := report{endpoint: s.endpoint.base.String(), results: results, flaws: found.list(), took: time.Since(start)}
	if s.json {
		if err := r.printJSON(stdout); err != nil {
			fmt.Fprintf(stderr, "conformance: %v\n", err)
			return 2
		}
	} else {
		r.print(stdout, s.plan.verbose)
	}
	if _, all := r.tallies(); all.Failed > 0 || ctx.Err() != nil {
		return 1
	}
	return 0
}

// parse reads the command line. flag has told its own errors already.
func parse(args []string, stderr io.Writer) (*settings, error) {
	var s settings
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("endpoint", "", "the `URL` of the service")
	protocol := flags.String("protocol", "both", "json, query or both")
	only := flags.String("run", "", "run the rows whose IDs match the `regexp`")
	flags.DurationVar(&s.plan.wait, "wait", 5*time.Second, "the longest that a row may wait")
	flags.DurationVar(&s.plan.limit, "limit", 30*time.Second, "the longest that a row may take beside waiting")
	flags.IntVar(&s.plan.parallel, "parallel", 8, "how many rows run at once")
	flags.BoolVar(&s.plan.verbose, "v", false, "tell of each row as it ends, and in full why rows failed")
	flags.BoolVar(&s.json, "json", false, "print one JSON object")
	var by signer
	flags.StringVar(&by.region, "region", wire.Region, "the region to sign requests for")
	flags.StringVar(&by.key, "key", "test", "the access key to sign requests with")
	flags.StringVar(&by.secret, "secret", "test", "the secret that belongs to the access key")
	flags.StringVar(&by.token, "token", "", "the session token of temporary credentials")
	if err := flags.Parse(args); err != nil {
		return nil, flag.ErrHelp
	}
	var err error
	if s.plan.only, err = regexp.Compile(*only); err != nil {
		return nil, err
	}
	protocols := map[string]wire.Protocols{"json": wire.JSON, "query": wire.Query, "both": wire.Both}
	s.plan.protocols = protocols[*protocol]
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("what is %q?", flags.Arg(0))
	case *address == "":
		return nil, errors.New("say which service, with -endpoint")
	case s.plan.protocols == 0:
		return nil, fmt.Errorf("-protocol is json, query or both, not %q", *protocol)
	case s.plan.parallel < 1 || s.plan.limit <= 0 || s.plan.wait < 0:
		return nil, errors.New("-parallel and -limit are more than zero, and -wait is not less")
	case len(s.plan.jobs()) == 0:
		return nil, fmt.Errorf("no row of that protocol matches %q", *only)
	}
	s.endpoint, err = newEndpoint(*address, by)
	return &s, err
}
