// Command bench measures what Restante costs:
//
//	go run ./bench [-quick] [-json]
//	go run ./bench -durable [-dir FOLDER] [-quick] [-json]
//
// from the root of the repository. It prints a table of rows and, below it, the
// ratios that have a goal, each with its numerator, its denominator and whether
// the goal was met.
//
// # The yardstick
//
// Machines differ, so times stand beside the channel hop H: what it costs one
// goroutine to hand a body to another one over a buffered channel, the least
// that a queue inside a process could cost. H is measured in the same run, in
// turn with the rows of every group.
//
// # What the rows say
//
//   - lifecycle: Send, Receive and Delete of a message while backlog others are
//     visible. The oldest is received, so the backlog stays what it was and is
//     passed through.
//   - fifo_lifecycle: the same on a FIFO queue whose backlog is spread over
//     message groups, deduplication included: also that of making an ID for each
//     message. The row beside it with ids=made is a Standard queue for which IDs
//     are made, too, and dropped.
//   - hot_group: the same in one message group while others are blocked.
//   - ungrouped: the same on a Standard queue with tenants, for messages that
//     belong to none, and in a queue that never saw a tenant (plain).
//   - random_delete: the same while many are in flight and any of them is
//     deleted, on a queue that has aged: every place in it was reused many times.
//   - worker: what it costs package worker to receive, handle and delete each of many
//     messages that wait in the queue, with as many handlers at a time as there are
//     goroutines (and metrics, if so named), and as many goroutines to do the same in
//     a loop of their own, ten at a time (bare_loop). The handler reads the body. The
//     ratio is that of two turns side by side.
//   - worker_latency: the time from Send until the handler of an idle worker, which
//     waits in a long poll, is called; the median, and a percentile. The sender waits for
//     the handler then. Beside it the same where a goroutine waits at a channel
//     (chan_latency), and the ratio of the medians.
//   - send: what a message costs that one of several producers sends, by SendBatch of
//     ten in each of them, or through one Sender of package worker for all of them: by
//     Add, or by Send, which returns when its message was sent.
//   - memory: the growth of the heap by each queued message, without the bytes
//     of its body, and how long one garbage collection takes then.
//   - fifo_memory: the growth of the heap by each message group beside its
//     message (and by each message, labels included, of as many groups or of one);
//     dedup_memory: by each deduplication ID whose message is gone.
//   - expiry: how long it takes until messages whose visibility timeouts end
//     together are visible again, and the latency of Send meanwhile (expiring)
//     and before (idle): what a Send would take that began at any moment of it.
//   - idle_polls, idle_queues: what waiting receivers and unused queues cost.
//   - sdk_redrive: the wall time of a whole test with the AWS SDK for Go, written with
//     package sqstest: queues are made, a message is received twice from the one
//     with a visibility timeout of twelve hours, which pass each time, and then
//     from its dead-letter queue, and deleted there. Beside it a test that only
//     makes a kit (empty), how often the test calls the SDK (calls), and the time
//     that passes for it (virtual). Its first round is that of a process that has
//     not used the SDK before, as that of a single test is.
//   - sqs: Send, Receive and Delete of a message with the AWS SDK for Go, in
//     process and over HTTP on the loopback interface; beside it the same SDK
//     where the answers are constants (constants), so that what is left is what
//     the SDK and HTTP cost.
//
// # With -durable
//
// Queues over files are measured instead, on the disk of FOLDER:
//
//   - raw_disk: writing 4 KiB into a file that is there, and waiting until the
//     disk has it: the yardstick of the disk.
//   - durable_send: Send from so many goroutines, each of which waits until its
//     message is on the disk.
//   - durable_lifecycle: SendBatch, Receive and DeleteBatch of ten.
//   - reopen: opening a store with so many messages, as a share of reading its
//     files from the page cache; after a clean close, and from a copy made of a
//     store that had taken no checkpoint. A store takes one at least every GiB of
//     its log, so there can't be more messages without.
//   - stored_heap: what the heap grows by, at rest and at most while draining, when
//     messages were sent (untouched), every second one was then deleted, all were
//     received and timed out, all have delays at random, or are in message groups
//     of a FIFO queue, which remembers their deduplication IDs as well.
//
// # How it is measured
//
// A row is the median of several rounds, with the least and the greatest. The
// rounds of the rows of a group take turns, so that what disturbs the machine
// for a while disturbs all of them. Each round has a queue and, but for the ring
// of bodies, a heap of its own; a garbage collection and a warm-up precede the
// measurement. Only the aged queues stay, since their age is what is measured,
// and those with blocked groups, which take long to make.
//
// Bodies come from a ring of 2^16 different ones and are read by the receiver.
// Times include the garbage collections that happen in the round. With a large
// backlog that is none, because the next one is a heap away: there the memory
// row says what a collection costs.
//
// With -quick only some of the rows are measured, in fewer rounds, which takes
// about a minute; the absent ones are named. With -json standard output is
// one JSON object. Progress goes to standard error.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	durable := flag.Bool("durable", false, "measure queues over files instead of queues in memory")
	dir := flag.String("dir", ".", "with -durable, the folder to make a temporary folder in")
	quick := flag.Bool("quick", false, "measure only some of the rows, in about a minute")
	asJSON := flag.Bool("json", false, "print one JSON object and no table")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench: no arguments, please; see -help")
		os.Exit(2)
	}
	p := fullPlan
	if *quick {
		p = quickPlan
	}
	command := "go run ./bench " + strings.Join(os.Args[1:], " ")
	if err := start(p, *durable, *dir, strings.TrimSpace(command), *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// start is main with a folder that is removed at the end.
func start(p plan, durable bool, dir, command string, asJSON bool) (err error) {
	if durable {
		if p.dir, err = os.MkdirTemp(dir, "bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	}
	return bench(p, command, asJSON, os.Stdout, os.Stderr)
}

// bench measures everything in p and prints the report to out.
func bench(p plan, command string, asJSON bool, out, stderr io.Writer) error {
	m := thisMachine(command)
	results, err := measure(p, &progress{to: stderr, began: time.Now()})
	if err != nil {
		return err
	}
	r := report{ratios(p, results), results, m}
	if asJSON {
		return r.writeJSON(out)
	}
	return r.writeTable(out)
}
