// Package queuetest holds the contract of package queue as a test suite. Who
// implements [queue.Queue] writes a constructor and one call:
//
//	func TestQueue(t *testing.T) {
//		queuetest.TestQueue(t, queuetest.Harness{
//			Kind: queue.Standard,
//			New: func(t *testing.T, cfg queue.Config) (queue.Queue, error) {
//				return myqueue.New(cfg)
//			},
//		})
//	}
//
// # What is tested
//
// Every case has a name, a rule in one sentence that is printed when the case
// fails, and a fresh queue. The first part of the name says where the rule
// comes from:
//
//   - Reference/<section>/<row>: how Amazon SQS behaves, as its developer guide
//     says or as it was recorded from the real service. The sections are those
//     of this project's table of SQS behaviour, which orders the rows from
//     limits (1) over messages (5), sending (6), deduplication (7), receiving
//     (8), visibility and receipts (9), FIFO groups (10), delay (11), retention
//     (12) and in-flight limits (13) to dead letters (14). A rule that begins
//     with "unverified; chosen:" is one where SQS's behaviour is not known, and
//     the project's choice stands in for it.
//   - Invariant/<number>/<words>: what must hold whatever happens: nothing
//     accepted is lost (1), deleted means gone (2), one holder at a time (3),
//     back in time (4), group order (5), no duplicates in FIFO (6), waiters are
//     served (7), counters balance (8), a refused call changes nothing (9), and
//     an answer that leans on a record waits for that record (10).
//   - Contract/<method>/<words>: what the comments of package queue promise a
//     Go caller beyond SQS.
//   - Limits/<parameter>/<inside|outside|absurd|unlimited>: every limit from
//     both sides. A refusal is a named error, carries the numbers in a
//     [*queue.LimitError] where there are numbers, and changes nothing.
//
// # How it is tested
//
// Each case runs in its own [testing/synctest] bubble: time is virtual, so that
// twelve hours pass at once, and all that a queue starts must end when it is
// closed. After each case the counters of all its queues must balance, and an
// implementation that has a method Check() error, which compares its own
// structures with one another, is asked for its opinion.
//
// Abilities that a queue may have or not ([queue.Inspector], [queue.Purger],
// [queue.DeadLetterer], [queue.Adopter], and the pair Config and Reconfigure)
// are tested where they are found; otherwise the cases that need them are
// skipped. [Harness].Skip leaves out what an implementation can't promise, with
// its reason.
//
// The suite sees queues only through their interface. What a store keeps over
// a crash is not its subject.
//
// # Queues that only keep SQS's promises
//
// A queue that is remote, slow or throttled, that loses answers, repeats and reorders
// messages or answers a poll with nothing, is a correct Standard queue all the same, but
// not to TestQueue. TestAtLeastOnce asks what holds of any: nothing is lost and nothing
// invented, and on a FIFO queue order and deduplication.
//
// # Stores
//
// Who implements [queue.Store] has a suite of the same form, [TestStore], which
// asks for a function that opens a store at a place, and for hooks that break
// things (a crash, a failed sync, a full disk) as far as there are any. The first
// part of a case's name says what it is about: Attach, Drop, Next, Now; Change
// and Append; Load and Record; Pages, Dedup and Meta, which come back from Attach
// and Meta; Wait, Close and Lock; Failed, Full and Crash, which need hooks; Churn
// and Model, which are long, the latter at random. Everything that a case has
// appended is compared with a model, at once and after the store was opened
// again. [OverStore] then runs the suite of queues over the same store.
package queuetest
