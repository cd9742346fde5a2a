package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

const (
	headerTime = 10 * time.Second // for a client to send the head of its request
	// For a whole request, and for its answer: long enough for a poll.
	requestTime = queue.MaxWait + 40*time.Second
	idleTime    = 2 * time.Minute // between two requests of a connection
	maxHeader   = 64 << 10        // bytes; a signature with a session token takes a few thousand
	drainTime   = 3 * time.Second // for the requests in hand, when told to stop; none waits any more
)

// run opens the broker, makes the queues, serves until ctx ends, and closes it
// all in the opposite order.
func run(ctx context.Context, s settings, queues []queueConfig, out, errOut io.Writer) (err error) {
	b := broker.New(s.broker())
	where := "in memory"
	if s.dir != "" {
		where = "in " + s.dir
		if b, err = broker.Open(ctx, s.dir, s.broker()); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := createAll(ctx, b, queues); err != nil {
		return err
	}
	listener, err := s.address.listen()
	if err != nil {
		return err
	}
	endpoint := s.address.endpoint(listener)
	logger := log.New(errOut, "sqsserver: ", log.LstdFlags|log.Lmsgprefix)
	logger.Printf("serving on %s, queues %s", endpoint, where)
	if note := s.note(listener); note != "" {
		logger.Print(note)
	}
	io.WriteString(out, s.hints(endpoint))
	if err := serve(ctx, listener, newService(b, s), logger, s.verbose); err != nil {
		return err
	}
	logger.Print("stopped")
	return nil
}

// broker are the choices of the broker.
func (s *settings) broker() broker.Options {
	return broker.Options{Scope: s.scope(), EnforceCooldowns: s.cooldowns}
}

// serve answers requests until ctx ends, or until it can accept no more.
func serve(ctx context.Context, listener net.Listener, h http.Handler, logger *log.Logger, verbose bool) error {
	waiting, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	h = releasing(waiting, h)
	if verbose {
		h = logging(logger, h)
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          logger,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }() // Shutdown ends it
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	release()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(limit); err != nil { // requests that have begun are answered
		server.Close() // their clients were too slow
	}
	<-ended
	return nil
}

// releasing ends requests that may wait for messages when waiting ends. Others
// are left to finish: who sends a message is told whether it was sent.
func releasing(waiting context.Context, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch actionOf(r) {
		case "ReceiveMessage", "": // unnamed: it stands in the form of a Query request
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(waiting, cancel)()
			r = r.WithContext(ctx)
		}
		h.ServeHTTP(w, r)
	})
}

// hints are what a client needs to know, in shell where it can be.
func (s *settings) hints(endpoint string) string {
	keys := "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
	if s.accessKey != "" {
		keys = "AWS_ACCESS_KEY_ID=" + s.accessKey + " AWS_SECRET_ACCESS_KEY=..." // it is nobody's business here
	}
	region := broker.New(s.broker()).Scope().Region // with the default filled in
	environment := fmt.Sprintf("export AWS_REGION=%[1]s AWS_DEFAULT_REGION=%[1]s %[2]s\n", region, keys)
	if !s.address.isSocket() {
		if s.baseURL != "" {
			endpoint = s.baseURL
		}
		return "export AWS_ENDPOINT_URL_SQS=" + endpoint + "\n" + environment
	}
	return environment + fmt.Sprintf(`# curl --unix-socket %[1]s http://localhost/health
# With the AWS SDK for Go:
#   sqs.NewFromConfig(config, func(o *sqs.Options) {
#       o.BaseEndpoint = aws.String("http://localhost")
#       o.HTTPClient = &http.Client{Transport: &http.Transport{
#           DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
#               return new(net.Dialer).DialContext(ctx, "unix", %[1]q)
#           },
#       }}
#   })
`, s.address.name)
}

// note is a warning for those who listen where others can knock whom nobody
// answers, or empty.
func (s *settings) note(listener net.Listener) string {
	tcp, ok := listener.Addr().(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() || s.allowRemote || s.accessKey != "" {
		return ""
	}
	return "other machines can connect and are refused: -access-key or -allow-remote would serve them, and -host says what they call this one"
}
