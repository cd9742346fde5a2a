// Ledger posts account movements through a FIFO queue whose consumers keep
// crashing, and ends up with the right balances.
//
//	go run ./examples/ledger [-seed N] [-consumers N] [-crash P]
//
// The file movements.csv has five thousand movements of 120 accounts, a few of
// which are much busier than the rest. A producer sends them in the order of
// the file. Its answers get lost at times, and then it sends a movement again.
// Sixteen consumers receive, apply, and delete. They crash at random, before
// they have applied a movement or after, and in both cases the queue hands the
// movement to somebody else later.
//
// So a movement may be sent twice and received twice, yet must count once:
//
//   - Sent twice: the movement's ID is the message's deduplication ID, and the
//     queue suppresses the second message.
//   - Received twice: an account keeps, together with its balance, the sequence
//     number of the last movement applied, and skips what is not newer. One
//     number is enough because all messages of an account are in one message
//     group, which the queue delivers in order: nothing older comes later for
//     the first time. Without the order every account would have to remember
//     every movement it has seen.
//
// Neither does the other's work. A movement that the queue took twice would
// have a new sequence number the second time.
//
// At the end the balances are computed once more, without the queue. A wrong
// one makes the exit status 1, and so does a movement that was applied before
// its predecessor in the file.
//
// Read main.go from top to bottom, and account.go, where it meets the accounts.
// Of the other files, movement.go knows the form of a movement and check.go
// what should have come out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
)

// lostAnswer is the probability that the producer doesn't get the queue's
// answer to a message.
const lostAnswer = 0.02

func main() {
	seed := flag.Uint64("seed", 1, "start of the random numbers")
	consumers := flag.Int("consumers", 16, "how many consumers there are")
	crash := flag.Float64("crash", 0.01, "probability of a crash before a movement is applied, and again after")
	flag.Parse()
	if flag.NArg() > 0 || *consumers < 1 || !(*crash >= 0 && *crash < 1) {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := start(ctx, *seed, *consumers, *crash); err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, seed uint64, consumers int, crash float64) error {
	movements, err := readMovements()
	if err != nil {
		return err
	}
	q, err := openQueue()
	if err != nil {
		return err
	}
	j := newJob(q, movements)
	j.seed, j.consumers, j.crash = seed, consumers, crash
	return errors.Join(j.run(ctx, os.Stdout, isTerminal(os.Stdout)), q.Close())
}

// openQueue is the one place that says what kind of queue this is.
func openQueue() (*fifo.Queue, error) {
	return fifo.New(queue.Config{
		Name: "ledger.fifo",
		// How long the account of a crashed consumer stands still. It must be
		// longer than a consumer needs for the movements it takes at a time, or
		// they are received twice for no reason.
		VisibilityTimeout: 200 * time.Millisecond,
	})
}

// inspectable is what this program needs of a queue.
type inspectable interface {
	queue.Queue
	queue.Inspector
}

// A job is one run: what the producer and the consumers share.
type job struct {
	q         inspectable
	movements []movement // in the order of the file
	books     *ledger
	apply     func(m movement, sequence uint64) bool // of books

	seed      uint64
	consumers int
	crash     float64

	allSent                     atomic.Bool // the producer is done
	sent, duplicates            atomic.Int64
	received, repeats           atomic.Int64
	crashesBefore, crashesAfter atomic.Int64
}

func newJob(q inspectable, movements []movement) *job {
	books := newLedger()
	return &job{q: q, movements: movements, books: books, apply: books.apply}
}

// run applies all movements by way of the queue, and reports to out. Its error
// says what is wrong with the results, or what kept it from getting them.
func (j *job) run(ctx context.Context, out io.Writer, terminal bool) error {
	fmt.Fprintf(out, "%d movements for %d consumers\n", len(j.movements), j.consumers)
	working, stop := context.WithCancelCause(ctx)
	var team sync.WaitGroup // producer and consumers: stop ends them, Wait awaits them
	member := func(n int, work func(context.Context, *rand.Rand) error) {
		// Everybody has dice of their own: a seed gives each the same throws in
		// every run, though not the same messages to throw them for.
		dice := rand.New(rand.NewPCG(j.seed, uint64(n)))
		team.Go(func() {
			if err := work(working, dice); err != nil {
				stop(err)
			}
		})
	}
	member(0, j.produce)
	for n := range j.consumers {
		member(n+1, j.consume)
	}
	err := j.watch(working, &progress{out: out, bar: terminal, total: len(j.movements)})
	stop(err)
	team.Wait()

	if err != nil {
		j.report(out, "unknown", "unknown")
		return context.Cause(working) // what went wrong first
	}
	outOfOrder, wrong, err := j.verify()
	j.report(out, outOfOrder, wrong)
	return err
}

// produce sends a message for every movement.
func (j *job) produce(ctx context.Context, dice *rand.Rand) error {
	for _, m := range j.movements {
		message := queue.Message{
			Body:            m.encode(),
			GroupID:         m.Account, // in order within the account, all accounts at the same time
			DeduplicationID: m.ID,
		}
		for answered := false; !answered; {
			sent, err := j.q.Send(ctx, message)
			if err != nil {
				return err
			}
			j.sent.Add(1)
			if sent.Duplicate {
				j.duplicates.Add(1)
			}
			// When the answer is lost, the producer can't know whether the
			// message arrived. So it sends the same again. For five minutes the
			// queue remembers the deduplication ID, whatever has become of the
			// first message meanwhile.
			answered = dice.Float64() >= lostAnswer
		}
	}
	j.allSent.Store(true)
	return nil
}

// consume receives movements and deals with them until ctx ends.
func (j *job) consume(ctx context.Context, dice *rand.Rand) error {
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
		}
		j.received.Add(int64(len(batch)))
		if err := j.post(ctx, batch, dice); err != nil {
			return err
		}
	}
}

// post applies the movements of a batch in the order in which they came: it may
// have several of one account. It returns early when its consumer crashes,
// which drops what is left of the batch; the next to call it is the successor.
//
// A crash holds up the whole account. None of its messages is delivered until
// the one that was dropped is visible again, and then that one comes first. Were
// the others delivered meanwhile, they would overtake it. The other accounts
// go on.
func (j *job) post(ctx context.Context, batch []queue.Delivery, dice *rand.Rand) error {
	for _, d := range batch {
		m, err := decodeMovement(d.Body)
		if err != nil {
			return fmt.Errorf("message %v has the body %q: %w", d.ID, d.Body, err)
		}
		if dice.Float64() < j.crash {
			j.crashesBefore.Add(1)
			return nil // not applied, not deleted
		}
		if !j.apply(m, d.Sequence) {
			j.repeats.Add(1) // somebody crashed at the point below, or was too slow
		}
		if dice.Float64() < j.crash {
			j.crashesAfter.Add(1)
			return nil // applied, not deleted
		}
		// Delete last, when the balance is safe; and when asked to stop, too,
		// because this movement has been applied.
		err = j.q.Delete(context.WithoutCancel(ctx), d.Receipt)
		switch {
		case errors.Is(err, queue.ErrReceiptExpired):
			return nil // too slow: the rest belongs to another consumer, who will find this one applied
		case err != nil:
			return err
		}
	}
	return nil
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
		if allSent && s.Pending+s.Delayed+s.Visible+s.InFlight == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// report prints the figures, one row each.
func (j *job) report(out io.Writer, outOfOrder, wrong any) {
	row := func(name string, value any) { fmt.Fprintf(out, "%-21s %v\n", name, value) }
	row("movements", len(j.movements))
	row("accounts", len(fold(j.movements)))
	row("sent", j.sent.Load())
	row("duplicates_suppressed", j.duplicates.Load())
	row("received", j.received.Load())
	row("crashes_before", j.crashesBefore.Load())
	row("crashes_after", j.crashesAfter.Load())
	row("repeats_skipped", j.repeats.Load())
	row("out_of_order", outOfOrder)
	row("wrong_balances", wrong)
}
