// Package linear checks that FIFO queues are linearizable: that whatever
// happens at the same time, each call looks as if it took effect at one instant
// between its beginning and its end, and that these instants, put in order, are
// a history the rules of a FIFO queue allow. It has tests only, and is a module
// of its own because it needs the checker, porcupine.
//
// # What runs
//
// A schedule is made from a seed: a queue with a random configuration (delay,
// visibility timeout, scope of deduplication, and often a dead-letter queue,
// which is then used like the first one), and three to six clients that send,
// receive by short and long poll, delete, change visibility and dead-letter at
// random. It runs in a [testing/synctest] bubble, so its clock is virtual, moves
// in whole milliseconds of the clients' choosing and stands still while anyone
// works. Within one instant the clients really run at the same time, and since
// the pauses are short and partly aligned, many calls meet in the same instant,
// with each other and with timeouts. At the end everything left is received
// and deleted, so that a lost message shows.
//
// Chance alone would seldom interrupt a call at a bad moment. So clients wait a
// moment for each other before they call, and in most schedules the contexts,
// the Trace and the dead-letter queue, which a queue calls in the middle of its
// work, let other clients run first.
//
// The seed fixes what the clients intend, not how their goroutines interleave;
// to see a failure again takes several runs of the same seed (see -runs).
//
// # What is recorded
//
// Every call takes a number from one atomic counter before it begins and another
// after it has ended, and notes the virtual time at both. The counter gives the
// exact order: if one call's second number is below another's first, it really
// was over before. The dead-letter queue's Adopt is recorded in the same way, by
// a wrapper through which the first queue sees it.
//
// # Time
//
// A queue changes by itself when a deadline passes. These changes are no
// operations of the history: each operation carries the instant in which it
// took effect, and the model compares deadlines with it. That needs the instant
// to be known. It is: the clock moves only when every goroutine is blocked, so a
// call that never waits begins and ends in the same instant, and a Receive that
// waits must return in the very instant in which it gets something or in which
// its wait ends. So a Receive that waited is taken as an operation that lasts
// from the beginning of its last instant to its return. What it owes for the
// time before, to leave nothing lying about, is demanded by operations of their
// own: wherever the clock moved while a receiver waited, each group gets an
// operation "parked" between the two instants, which is legal only if nothing
// was deliverable in the millisecond before the later one.
//
// # How the history is partitioned
//
// Linearizability is local: a history of several objects is linearizable if and
// only if that of each object is. A queue is one object for each message group.
// Only Receive, and deduplication over the whole queue, touch more than one:
//
//   - A Receive becomes an operation on each group of which it returned
//     messages, in the order in which it returned them. If it returned none at
//     all, it becomes an operation "empty" on every group, legal when nothing
//     was deliverable there. The parts may be given different instants within
//     the call; so a queue is asked for a little less than that one instant
//     serves for all groups, and never for more: the check has no false alarms.
//     A Receive that returned less than it might have is legal for the same
//     reason that SQS's is.
//   - Deduplication is an object of its own for each deduplication ID (with the
//     group, if that is the scope): whether a send is a duplicate depends on
//     earlier sends of the ID alone, not on what became of the message. A
//     duplicate is no operation on its group, for it changes nothing there.
//   - The entries of a batch are operations that overlap. In the case of
//     SendBatch the sequence numbers, which must rise, put them in order.
//
// # The model of a group
//
// A list of messages in the order of their sequence numbers, each with its
// receive count and the instant until which it is hidden, by the delay or by the
// visibility timeout. Deliverable is what stands before the first hidden one; a
// Receive takes messages from the front of that, without a gap. The latest
// receipt works as long as the message is hidden, no other one ever works.
//
// A message that was received as often as MaxReceives says is not delivered any
// more and hides nothing, but what stands behind it is deliverable only after it
// has moved. The move is an operation too, known from the recorded Adopt. It is
// legal for an exhausted, visible message with nothing hidden before it, and it
// may take its place anywhere in its instant: while a message is on its way to
// the dead-letter queue it counts as in flight, so in the instant of its move,
// and only then, an empty Receive is excused by it.
//
// A Receive whose context ends is no operation, for nothing has happened. There
// is one excuse: a receiver that is handed messages in the instant in which its
// context ends may give them back. A Receive that overlaps with it in that
// instant may find nothing.
//
// # What is checked beside
//
// What needs no search: deliveries carry what was sent, the instant of sending
// and the right deadline; an empty Receive returns when its wait ends, neither
// before nor after; calls that don't wait take no time; and of two receivers
// that wait, the one that came in an earlier instant is served first, unless
// messages moved to the dead-letter queue in that instant: the receiver whose
// turn it was may have been the one that moved them.
package linear
