// Sqsserver serves queues over HTTP as Amazon SQS does: to programs in any
// language, in CI, and between the processes of one machine.
//
//	go run ./examples/sqsserver -queue orders
//
// It prints the two lines of shell that an AWS SDK needs to find it. README.md
// beside this file has the rest: a configuration file, a Unix socket, a container,
// and clients in Python, JavaScript and Go.
//
// What it promises:
//
//   - Without -dir all queues are in memory, and gone when it ends. With -dir DIR
//     an answer to SendMessage means that the message is on the disk: kill -9 it,
//     start it again, and see.
//   - It listens when all queues are there. So who can connect can begin.
//   - It answers this machine only, by a name of this machine, unless told
//     otherwise; the API, the health checks and the look into queues alike.
//   - SIGTERM, or an interrupt: nothing more is accepted, receivers that wait are
//     told at once (503, which SDKs try again), requests in hand are answered,
//     queues are closed, and the exit status is 0. A second signal ends it at once.
//   - Exit status 2 means that the flags or the configuration file are wrong and
//     nothing was done, 1 that something failed, or that a queue can't be as it is
//     to be.
//
// Read serve.go first. queues.go makes the queues, listen.go knows addresses and
// sockets, routes.go answers what isn't SQS, messages.go looks into queues.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is the program without its process. It returns the exit status.
func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	s, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil && s.check {
		if err := check(ctx, s.address); err != nil {
			fmt.Fprintln(errOut, "sqsserver:", err)
			return 1
		}
		return 0
	}
	var queues []queueConfig
	if err == nil {
		queues, err = s.queues()
	}
	if err != nil {
		fmt.Fprintf(errOut, "sqsserver: %v\nrun it with -h for help\n", err)
		return 2
	}
	if err := run(ctx, s, queues, out, errOut); err != nil {
		fmt.Fprintln(errOut, "sqsserver:", err)
		return 1
	}
	return 0
}

// settings are what the flags say.
type settings struct {
	address              address
	dir                  string   // empty: in memory
	names                []string // of queues
	config               string   // a file with queues, or empty
	accessKey, secretKey string   // both or none
	allowRemote          bool
	hosts                []string
	baseURL              string // without a slash at the end; empty: each request's own
	account, region      string // empty: as each request is signed
	cooldowns            bool
	check                bool // ask a server that runs, instead of being one
	verbose              bool
}

// secretVariable holds the secret key for those who don't want it where everybody
// can see it, in the list of processes.
const secretVariable = "SQSSERVER_SECRET_KEY"

// parse reads the flags. Its error names the one that is wrong. When help is
// asked for, it writes that to out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (settings, error) {
	s := settings{}
	addr := "127.0.0.1:9324"
	flags := flag.NewFlagSet("sqsserver", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&addr, "addr", addr, "listen on this `ADDRESS`: host:port, port 0 for a free one, or unix:PATH for a Unix socket")
	flags.StringVar(&s.dir, "dir", "", "keep the queues in `DIR`, which is made if it isn't there; otherwise they are in memory")
	flags.Func("queue", "create the queue of this `NAME`; may be repeated; *.fifo makes a FIFO queue", several(&s.names))
	flags.StringVar(&s.config, "config", "", "create the queues listed in the JSON `FILE`: [{\"name\", \"attributes\", \"tags\"}]")
	flags.StringVar(&s.accessKey, "access-key", "", "serve only requests signed with this access key `ID`; needs a secret key")
	flags.StringVar(&s.secretKey, "secret-key", "", "the `SECRET` of -access-key; better in the variable "+secretVariable)
	flags.BoolVar(&s.allowRemote, "allow-remote", false, "serve other machines, too, although nobody has to sign; needs an -addr that they reach")
	flags.Func("host", "the server is also called `NAME`, such as the name of its container; may be repeated; * for any name", several(&s.hosts))
	flags.StringVar(&s.baseURL, "base-url", "", "`URL` that queue URLs start with, if clients come by another address than the one they name")
	flags.StringVar(&s.account, "account", "000000000000", "the queues belong to this `ACCOUNT` of 12 digits; empty: each request's")
	flags.StringVar(&s.region, "region", "us-east-1", "the queues are in this `REGION`, whatever requests say; empty: each request's")
	flags.BoolVar(&s.cooldowns, "cooldowns", false, "as in SQS, purge only once in 60s, and wait as long before using a deleted queue's name")
	flags.BoolVar(&s.check, "check", false, "ask the server that listens at -addr how it is, and end: status 0 if it is well")
	flags.BoolVar(&s.verbose, "v", false, "log every request")
	flags.Usage = func() {} // below, and only when asked for
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, `usage: sqsserver [flags]

Serves queues over HTTP as Amazon SQS does.

`)
		flags.SetOutput(out)
		flags.PrintDefaults()
		fmt.Fprint(out, `
Exit status: 0 after SIGTERM or an interrupt; 1 if something failed, or a queue
can't be as it is to be; 2 if the flags or the configuration file are wrong.
`)
		return s, err
	case err != nil:
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q: there are no arguments, only flags", flags.Arg(0))
	}
	return s, s.complete(addr)
}

// several is the meaning of a flag that may be repeated.
func several(list *[]string) func(string) error {
	return func(value string) error {
		if value == "" {
			return errors.New("it must not be empty")
		}
		*list = append(*list, value)
		return nil
	}
}

// complete takes the address, and sees that what belongs together is there.
func (s *settings) complete(addr string) (err error) {
	if s.address, err = parseAddress(addr); err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if s.accessKey != "" && s.secretKey == "" {
		s.secretKey = os.Getenv(secretVariable)
	}
	switch {
	case s.accessKey != "" && s.secretKey == "":
		return fmt.Errorf("-access-key needs a secret key, in the variable %s or by -secret-key", secretVariable)
	case s.accessKey == "" && s.secretKey != "":
		return errors.New("-secret-key needs -access-key")
	case s.account != "" && !isAccount(s.account):
		return fmt.Errorf("-account: %q is not 12 digits", s.account)
	case strings.Trim(s.region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("-region: %q is no name of a region, such as eu-central-1", s.region)
	}
	if s.baseURL != "" {
		u, err := url.Parse(s.baseURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("-base-url: %q is no URL such as http://queues:9324", s.baseURL)
		}
		s.baseURL = strings.TrimRight(s.baseURL, "/")
	}
	return nil
}

func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// scope is where the queues are. Empty fields are left to each request, and to
// the broker's defaults for those queues that are made here.
func (s *settings) scope() broker.Scope { return broker.Scope{Account: s.account, Region: s.region} }

// api are the choices of the SQS protocol.
func (s *settings) api() sqsapi.Options {
	o := sqsapi.Options{BaseURL: s.baseURL, Scope: s.scope(), AllowRemote: s.allowRemote, Hosts: s.hosts}
	if s.accessKey != "" {
		o.Credentials = map[string]string{s.accessKey: s.secretKey}
	}
	return o
}
