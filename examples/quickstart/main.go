// Quickstart hashes every file below a folder, with a message queue between
// the one who finds the files and the eight who hash them.
//
//	go run ./examples/quickstart [-store DIR] [FOLDER]
//
// Without FOLDER it takes the source tree of the Go installation, about ten
// thousand files.
//
// A producer sends one message for every regular file, ten at a time. Eight
// consumers receive, hash, and delete. Now and then a consumer "crashes": it
// drops the messages in its hands and never deletes them. Nothing is done about
// that, and nothing needs to be: after the visibility timeout the queue hands
// those messages to somebody else. At the end the folder is walked and hashed a
// second time, without the queue, and the results are compared. A file without
// a result, with another hash, or that should not be there makes the exit
// status 1; so does a file that changed meanwhile.
//
// Without -store all this is in memory. With it the queue is in the files of
// DIR, and so are the records of what was sent and of the results. Then the
// whole program may crash like a consumer: kill it when and as often as you like
// (build it first; kill -9 of "go run" ends only that) and start it again. It
// sends what was not recorded as sent, hashes what is left in the queue, and
// still loses nothing, because a result is on the disk before its message is
// deleted. When a run has ended, the next start with its DIR begins anew. One
// that has not can be continued for two weeks; then its messages expire.
//
// Read main.go from top to bottom: open the queue, continue, produce, consume,
// verify, report. records.go keeps the records; the other files know about
// folders and terminals, not queues.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/standard"
)

const (
	consumers  = 8
	crashEvery = 250 // every 250th message to be received for the first time takes its consumer down
)

func main() {
	dir := flag.String("store", "", "keep queue and records in `DIR`, so that a run that was killed can be continued")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: quickstart [-store DIR] [FOLDER]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := start(ctx, *dir, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, dir, folder string) (err error) {
	if folder == "" {
		if folder, err = goSource(ctx); err != nil {
			return err
		}
	}
	var store queue.Store // nil: the queue lives in memory
	r := newRecords()
	if dir != "" {
		if err := outside(folder, dir); err != nil {
			return err
		}
		s, err := filestore.Open(ctx, dir, filestore.Options{}) // locks dir: nobody else runs there
		if err != nil {
			return err
		}
		defer s.Close() // q.Close has made everything durable
		if r, err = openRecords(filepath.Join(dir, "quickstart.journal")); err != nil {
			return err
		}
		defer r.close()
		store = s
	}
	q, err := openQueue(ctx, store)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, q, r, folder, crashEvery, os.Stdout, isTerminal(os.Stdout)), q.Close())
}

// openQueue is the one place that says what kind of queue this is, and where it
// lives.
func openQueue(ctx context.Context, store queue.Store) (*standard.Queue, error) {
	cfg := queue.Config{
		Name: "quickstart",
		// How long a consumer has for the messages it holds before they go to
		// somebody else. Messages that take longer are hashed twice, which
		// costs time but does no harm.
		VisibilityTimeout: time.Second,
		Retention:         queue.MaxRetention, // for who continues much later
	}
	if store == nil {
		return standard.New(cfg)
	}
	return standard.Open(ctx, store, cfg)
}

// jobQueue is what this program needs of a queue.
type jobQueue interface {
	queue.Queue
	queue.Inspector
	queue.Purger
}

// run hashes all files below folder by way of q, and reports to out. Its error
// says what is wrong with the results, or what kept it from getting them.
func run(ctx context.Context, q jobQueue, r *records, folder string, crashEvery int, out io.Writer, terminal bool) error {
	root, err := openFolder(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	paths, err := files(ctx, root)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d files for %d consumers\n", len(paths), consumers)

	j := &job{q: q, records: r, root: root, crashEvery: crashEvery}
	unsent, messages := paths, len(paths)
	if r.file != nil {
		if unsent, messages, err = j.resume(ctx, paths, out); err != nil {
			return err
		}
	}
	working, stop := context.WithCancelCause(ctx)
	var team sync.WaitGroup // producer and consumers: stop ends them, Wait awaits them
	begin := time.Now()
	team.Go(func() {
		if err := j.produce(working, unsent); err != nil {
			stop(err)
		}
	})
	for range consumers {
		team.Go(func() {
			if err := j.consume(working); err != nil {
				stop(err)
			}
		})
	}
	err = j.watch(working, &progress{out: out, bar: terminal, total: messages})
	elapsed := time.Since(begin)
	stop(err)
	team.Wait()

	lost := unknown
	if err != nil {
		err = context.Cause(working) // what went wrong first
	} else if lost, err = j.verify(ctx); lost != unknown {
		err = errors.Join(err, r.addEnd())
	}
	return errors.Join(err, j.report(ctx, out, lost, elapsed))
}

// unknown is how many results are lost when they could not be compared.
const unknown = "unknown"

// A job is what the producer and the consumers of one run share.
type job struct {
	q          jobQueue
	records    *records
	root       *os.Root
	crashEvery int
	allSent    atomic.Bool // the producer is done

	mu                          sync.Mutex // guards the fields below
	sent, received, redelivered int
}

// resume finds out where the run before this one stopped. It returns the files
// that are still to be sent, and how many messages are to be dealt with.
func (j *job) resume(ctx context.Context, paths []string, out io.Writer) (unsent []string, messages int, err error) {
	folder, err := realPath(j.root.Name())
	if err != nil {
		return nil, 0, err
	}
	r := j.records
	if r.folder == "" || r.ended {
		if r.ended {
			fmt.Fprintln(out, "the run before has ended; beginning anew")
		}
		// The queue is empty, unless somebody removed the records.
		if err := j.q.Purge(ctx); err != nil {
			return nil, 0, err
		}
		return paths, len(paths), r.begin(folder)
	}
	if r.folder != folder {
		return nil, 0, fmt.Errorf("a run over %s has not ended; continue that one, or take another -store", r.folder)
	}
	// What was sent and not recorded, because the crash came in between, is sent
	// a second time.
	for _, path := range paths {
		if !r.sent[path] {
			unsent = append(unsent, path)
		}
	}
	s, err := j.q.Stats(ctx)
	if err != nil {
		return nil, 0, err
	}
	fmt.Fprintf(out, "continuing: %d of %d results are there, %d messages are in the queue, %d files are to be sent\n",
		len(r.results), len(paths), left(s), len(unsent))
	return unsent, left(s) + len(unsent), nil
}

// produce sends a message for every path.
func (j *job) produce(ctx context.Context, paths []string) error {
	for some := range slices.Chunk(paths, queue.MaxBatch) {
		var batch []queue.Message
		for _, path := range some {
			// File names may have bytes that a message body may not: control
			// characters, or what isn't UTF-8. A quoted string in ASCII brings
			// every name through unchanged (JSON would replace bad bytes) and
			// stays readable (base64 would not).
			batch = append(batch, queue.Message{Body: strconv.QuoteToASCII(path)})
		}
		if _, err := j.q.SendBatch(ctx, batch); err != nil {
			return err
		}
		if err := j.records.addSent(some); err != nil {
			return err
		}
		j.mu.Lock()
		j.sent += len(batch)
		j.mu.Unlock()
	}
	j.allSent.Store(true)
	return nil
}

// consume receives, hashes and deletes until ctx ends.
func (j *job) consume(ctx context.Context) error {
	memory := make([]queue.Delivery, 0, queue.MaxReceive)
	for {
		batch, err := j.q.Receive(ctx, queue.ReceiveOptions{
			Max:  queue.MaxReceive,
			Wait: queue.MaxWait, // a long poll: returns as soon as there is a message
			Into: memory,
		})
		switch {
		case ctx.Err() != nil:
			return nil // all is done, or was called off
		case err != nil:
			return err
		case len(batch) == 0:
			continue // the wait ended
		case j.crash(batch):
			continue // this consumer is gone, with all it held; meet its successor
		}
		var results []result
		var done []queue.Receipt
		for _, d := range batch {
			path, err := strconv.Unquote(d.Body)
			if err != nil {
				return fmt.Errorf("message %v has the body %q: %w", d.ID, d.Body, err)
			}
			// A message may come twice, so doing its work twice must be
			// harmless. Here the second result takes the place of the first.
			results = append(results, result{path, hashFile(j.root, path)})
			done = append(done, d.Receipt)
		}
		// Delete last, when the results are safe; and when asked to stop, too,
		// because this work has been done.
		if err := j.records.addResults(results); err != nil {
			return err
		}
		if err := j.q.DeleteBatch(context.WithoutCancel(ctx), done); err != nil {
			return err
		}
	}
}

// crash counts the batch and decides whether its consumer crashes.
func (j *job) crash(batch []queue.Delivery) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	crash := false
	for _, d := range batch {
		j.received++
		if d.ReceiveCount > 1 {
			j.redelivered++
		} else if (j.received-j.redelivered)%j.crashEvery == 0 {
			crash = true
		}
	}
	return crash
}

// watch shows the progress until everything was sent and nothing is left in the
// queue, or until ctx ends, which is an error.
func (j *job) watch(ctx context.Context, p *progress) error {
	defer p.end()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// Ask this before Stats: the other way round, messages could be sent
		// between an empty queue and the producer's last word.
		allSent := j.allSent.Load()
		s, err := j.q.Stats(ctx)
		if err != nil {
			return err
		}
		p.show(s.Deleted)
		if allSent && left(s) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// left is the number of messages in the queue, whatever their state.
func left(s queue.Stats) int { return s.Pending + s.Delayed + s.Visible + s.InFlight }

// verify compares the results with those of a second walk that has nothing to
// do with the queue. Any difference is an error; lost is a number all the same.
func (j *job) verify(ctx context.Context) (lost string, err error) {
	paths, err := files(ctx, j.root)
	if err != nil {
		return unknown, err
	}
	want := make(map[string]string)
	for _, path := range paths {
		if ctx.Err() != nil {
			return unknown, context.Cause(ctx)
		}
		want[path] = hashFile(j.root, path)
	}
	n, err := compare(want, j.records.results)
	return strconv.Itoa(n), err
}

// report prints the figures, one row each.
func (j *job) report(ctx context.Context, out io.Writer, lost string, elapsed time.Duration) error {
	s, err := j.q.Stats(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if n := unreadable(j.records.results); n > 0 {
		fmt.Fprintf(out, "%d of the files could not be read; the error is their result\n", n)
	}
	row := func(name string, value any) { fmt.Fprintf(out, "%-12s %v\n", name, value) }
	row("sent", j.sent)
	row("received", j.received)
	row("redelivered", j.redelivered)
	row("deleted", s.Deleted)
	row("left", left(s))
	if j.records.file != nil {
		row("results", fmt.Sprintf("%d, of which %d were there at the start", len(j.records.results), j.records.found))
	}
	row("lost", lost)
	row("messages/s", int(float64(s.Deleted)/max(elapsed.Seconds(), 0.001)))
	if j.records.file != nil && !j.records.ended {
		fmt.Fprintln(out, "not at its end; continue it with the same -store and folder")
	}
	return nil
}
