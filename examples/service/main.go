// Service takes jobs over HTTP and does them later, with a durable queue in
// between. It is meant to be copied.
//
//	go run ./examples/service -store DIR [-addr localhost:8080]
//
// Then, from another terminal:
//
//	curl -d '{"name":"report","takes":"3s"}' localhost:8080/jobs
//	curl localhost:8080/stats
//
// The work stands for yours: a job takes as long as it says, and fails if it
// says so ("fails":true). What has been done is a line in DIR/done.log, which
// stands for your database.
//
// What it promises:
//
//   - 202 Accepted means that the job is on the disk. From then on it is done at
//     least once, whatever happens to this process: kill -9 it, start it again,
//     and see. (Unless it can't be done, see below, or nobody has started it again
//     for two weeks.) A job is done a second time if the process dies after the
//     work was recorded and before its message was deleted. So make the job's ID
//     the key of the record, and the second time changes nothing.
//   - 503 Service Unavailable, with Retry-After, means that there is no room for
//     more jobs, or that the service is about to stop. Those accepted are done
//     all the same.
//   - 400 Bad Request says what is wrong with the job. After any other answer,
//     or none, the job may have been accepted or not.
//   - A job that fails is tried again after a while, then after a longer while.
//     After the fifth time it goes to the dead-letter queue, with the reason,
//     where it stays for two weeks for you to look at. A crash of the process
//     counts as a try of the jobs in hand, as they may be why it crashed.
//   - A job may take much longer than the visibility timeout, which is how long
//     other workers leave it alone: its worker renews that while it works.
//   - SIGTERM, or an interrupt: nothing more is accepted, no job is begun, those
//     in hand are finished, and the exit status is 0. What takes too long is
//     given up and done after the next start. A second signal ends it at once.
//   - Exit status 1 means that the disk failed, or something else without which
//     it is no use going on. Have it started again, as systemd does.
//
// Whoever can reach it can send jobs. Put what your services usually have in
// front of it: TLS, and a check of who is asking.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/standard"
)

const (
	workers       = 4                // jobs that are done at the same time
	leaseTime     = 30 * time.Second // visibility timeout: how soon the job of a lost worker is taken up again
	maxReceives   = 5                // times that a job is tried
	firstRetry    = time.Second      // after a failure; doubled with each further one
	drainTime     = 20 * time.Second // for the jobs in hand, when told to stop; less than whoever stops us waits
	maxBody       = 64 << 10         // bytes of a request
	retryWhenFull = "30"             // seconds
	retryWhenGone = "2"              // likewise: for the next process to be there
)

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this `address`")
	dir := flag.String("store", "", "keep queues and records in `DIR`, which is made if its parent is there (required)")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, *addr, *dir, os.Stdout); err != nil {
		log.Fatal("service: ", err)
	}
}

// run opens what the service needs, serves until ctx ends, and closes it all in
// the opposite order: first those who use the queues, then the queues, and what
// they live in last.
func run(ctx context.Context, addr, dir string, out io.Writer) (err error) {
	store, err := filestore.Open(ctx, dir, filestore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	records, err := openRecords(filepath.Join(dir, "done.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, records.file.Close()) }()
	s, err := openService(ctx, store, records)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `listening on http://%[1]s
try:
  curl -d '{"name":"report","takes":"3s"}' http://%[1]s/jobs
  curl -d '{"name":"hopeless","fails":true}' http://%[1]s/jobs
  curl http://%[1]s/stats
`, listener.Addr())
	err = s.serve(ctx, listener)
	fmt.Fprintln(out, "stopped")
	return err
}

// A service is the queues and who works on them.
type service struct {
	jobs    *standard.Queue
	dead    *standard.Queue // jobs that failed too often
	records *records
}

// openService opens both queues. They are in one store, so that a job goes from
// one to the other in a single change: a crash leaves it here or there.
func openService(ctx context.Context, store queue.Store, records *records) (*service, error) {
	dead, err := standard.Open(ctx, store, queue.Config{Name: "jobs-dead", Retention: queue.MaxRetention})
	if err != nil {
		return nil, err
	}
	jobs, err := standard.Open(ctx, store, queue.Config{
		Name:              "jobs",
		VisibilityTimeout: leaseTime,
		Retention:         queue.MaxRetention,
		DeadLetter:        queue.DeadLetter{Target: dead, MaxReceives: maxReceives},
	})
	if err != nil {
		return nil, errors.Join(err, dead.Close())
	}
	return &service{jobs: jobs, dead: dead, records: records}, nil
}

// close closes the queues. The dead-letter queue comes last, because the other
// one uses it.
func (s *service) close() error { return errors.Join(s.jobs.Close(), s.dead.Close()) }

// serve answers requests and does jobs until ctx ends, or until something fails
// without which it can't go on.
func (s *service) serve(ctx context.Context, listener net.Listener) error {
	accepting, stop := context.WithCancel(ctx)
	working, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)

	server := &http.Server{Handler: s.handler(), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	var team sync.WaitGroup // the server and the workers: Shutdown and stop end them, Wait awaits them
	failures := make(chan error, 1+workers)
	team.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failures <- err
			stop()
		}
	})
	for range workers {
		team.Go(func() {
			if err := s.work(accepting, working); err != nil {
				failures <- err
				stop()
			}
		})
	}

	<-accepting.Done()
	defer time.AfterFunc(drainTime, func() { giveUp(errors.New("given up, as the service stops")) }).Stop()
	if err := server.Shutdown(working); err != nil { // requests that have begun are answered
		server.Close() // their clients were too slow
	}
	team.Wait()
	close(failures)
	var err error
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	return err
}

// A job is the work that is asked for, in a request and in a message.
type job struct {
	Name  string   `json:"name"`
	Takes duration `json:"takes,omitzero"`
	Fails bool     `json:"fails,omitzero"`
}

// check says what is wrong with a job, so that nothing is accepted that can't be
// done.
func (j *job) check() error {
	switch {
	case j.Name == "" || strings.ContainsAny(j.Name, "\r\n"):
		return errors.New("name must be one line of text")
	case j.Takes < 0:
		return errors.New("takes must not be negative")
	}
	return nil
}

// duration is a time.Duration that is a text in JSON, such as "1m30s".
type duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// handler is what the service answers to requests.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", s.accept)
	mux.HandleFunc("GET /stats", s.stats)
	return mux
}

// accept queues a job. Its answer is 202 only when the job is on the disk.
func (s *service) accept(w http.ResponseWriter, r *http.Request) {
	var j job
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &j)
	}
	if err == nil {
		err = j.check()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := json.Marshal(j)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sent, err := s.jobs.Send(r.Context(), queue.Message{Body: string(text)})
	switch {
	case errors.Is(err, queue.ErrStoreFull):
		w.Header().Set("Retry-After", retryWhenFull)
		http.Error(w, "there is no room for more jobs now", http.StatusServiceUnavailable)
	case errors.Is(err, queue.ErrUncertain):
		log.Printf("sending: %v", err)
		http.Error(w, "the job may have been accepted or not", http.StatusInternalServerError)
	case errors.Is(err, queue.ErrClosed), errors.Is(err, queue.ErrStoreFailed):
		w.Header().Set("Retry-After", retryWhenGone)
		http.Error(w, "the service is stopping", http.StatusServiceUnavailable)
	case errors.Is(err, queue.ErrInvalidContents):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		log.Printf("sending: %v", err)
		http.Error(w, "the job was not accepted", http.StatusInternalServerError)
	default:
		answer(w, http.StatusAccepted, map[string]string{"id": sent.ID.String()})
	}
}

// stats tells how many jobs there are, and in which state.
func (s *service) stats(w http.ResponseWriter, r *http.Request) {
	jobs, err := s.jobs.Stats(r.Context())
	dead, err2 := s.dead.Stats(r.Context())
	if err := errors.Join(err, err2); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, map[string]queue.Stats{"jobs": jobs, "dead": dead})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // whoever asked has gone
}

// work does one job after the other until accepting ends. When working ends it
// gives up the job in its hands, too. An error is one with which it is no use
// going on.
func (s *service) work(accepting, working context.Context) error {
	for {
		// One at a time: what a busy worker had in its hands, an idle one could not do.
		got, err := s.jobs.Receive(accepting, queue.ReceiveOptions{Wait: queue.MaxWait})
		switch {
		case accepting.Err() != nil && len(got) == 0:
			return nil
		case errors.Is(err, queue.ErrStoreCorrupt):
			log.Printf("one job can't be read: %v", err) // the others can
		case err != nil:
			return err
		}
		for _, d := range got {
			if err := s.handle(working, d); err != nil {
				return err
			}
		}
	}
}

// handle does a job, records that, and deletes it, in this order: a crash at any
// point leaves the job in the queue until it has been recorded.
func (s *service) handle(ctx context.Context, d queue.Delivery) error {
	name, err := s.attempt(ctx, d)
	if err == nil {
		if err := s.records.add(d.ID.String(), name); err != nil {
			return err
		}
		return s.settled(d, s.jobs.Delete(context.WithoutCancel(ctx), d.Receipt))
	}

	log.Printf("job %v: try %d of %d: %v", d.ID, d.ReceiveCount, maxReceives, err)
	givenUp, ctx := ctx.Err() != nil, context.WithoutCancel(ctx)
	switch {
	case givenUp: // not the job's fault; at the next start it is taken up at once
		return s.settled(d, s.jobs.ChangeVisibility(ctx, d.Receipt, 0))
	case d.ReceiveCount >= maxReceives:
		return s.settled(d, s.jobs.DeadLetter(ctx, d.Receipt, err.Error()))
	default:
		return s.settled(d, s.jobs.ChangeVisibility(ctx, d.Receipt, firstRetry<<(d.ReceiveCount-1)))
	}
}

// settled passes on an error with which it is no use going on. Others mean that
// the job comes back when its visibility timeout has passed.
func (s *service) settled(d queue.Delivery, err error) error {
	if errors.Is(err, queue.ErrStoreFailed) || errors.Is(err, queue.ErrClosed) {
		return err
	}
	if err != nil {
		log.Printf("job %v: %v", d.ID, err)
	}
	return nil
}

// attempt does a job once, and renews its lease meanwhile.
func (s *service) attempt(ctx context.Context, d queue.Delivery) (name string, err error) {
	var j job
	if err := json.Unmarshal([]byte(d.Body), &j); err != nil {
		return "", err
	}
	ctx, lost := context.WithCancelCause(ctx)
	var beats sync.WaitGroup // one goroutine; lost ends it
	beats.Go(func() {
		tick := time.NewTicker(leaseTime / 3) // two may come late
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := s.jobs.ChangeVisibility(ctx, d.Receipt, leaseTime); err != nil && ctx.Err() == nil {
				// It was purged, or took 12 hours: then others may have it, or
				// nobody wants it.
				lost(fmt.Errorf("the lease ended: %w", err))
			}
		}
	})
	defer beats.Wait()
	defer lost(nil)
	return j.Name, do(ctx, j)
}

// do is the work. Yours should end early, with an error, when ctx ends.
func do(ctx context.Context, j job) error {
	select {
	case <-time.After(time.Duration(j.Takes)):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if j.Fails {
		return errors.New("it was to fail")
	}
	return nil
}

// records are the jobs that were done: lines with an ID and a name. They stand
// for a database with a table whose key is the ID.
type records struct {
	mu   sync.Mutex // held while a line is written and synced, because lines come one by one
	file *os.File
	err  error // of a line that may be there in part
}

func openRecords(name string) (*records, error) {
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	// A line without an end was torn by a crash. Its job is in the queue still.
	whole := int64(strings.LastIndexByte(string(text), '\n') + 1)
	_, err = f.Seek(whole, io.SeekStart)
	if err = errors.Join(err, f.Truncate(whole), f.Sync(), syncFolder(filepath.Dir(name))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &records{file: f}, nil
}

// syncFolder makes the names of the files in a folder durable. Windows has no
// call for that.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// add records a job, and returns when that is on the disk. It never goes on
// after an error.
func (r *records) add(id, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if _, r.err = fmt.Fprintln(r.file, id, name); r.err == nil {
		r.err = r.file.Sync()
	}
	return r.err
}
