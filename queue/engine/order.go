package engine

import "github.com/restantemq/restante/queue"

// An Order decides which message goes out next. It is what makes a queue type:
// the engine knows every message's state and tells the Order of each change
// that matters to it; the Order keeps whatever index it needs and hands out
// whole receives.
//
// All methods are called under the queue's lock, with the page's state already
// changed. They don't block and don't call the queue.
type Order interface {
	// Attach is called once, before all others.
	Attach(h Host)

	// Add tells of a message of a message group that was accepted, or came back
	// from the store. It can't be taken before Show, but blocks those behind it
	// where order matters. It is younger than all that the Order knows, unless its
	// page is Late; pages of FIFO queues never are.
	Add(p *Page, i int, group string)

	// Show tells that a message is receivable now: it was committed, its delay
	// is over, it timed out, it was released, or its receive was undone. Was is
	// the state it comes from, or Undone.
	Show(p *Page, i int, was queue.State)

	// Hide tells that a message that was visible no longer is, other than by
	// Take: somebody extended an expired lease, or the queue's delay was raised.
	// Its state says which.
	Hide(p *Page, i int)

	// Gone tells that a message left the queue: deleted, expired, moved; or that
	// its page goes to the store, and will be told of again with Add and Show. Was
	// is the state it leaves. Its slot may be empty; its page is still there. It
	// isn't called for a message that was neither visible nor in a group.
	Gone(p *Page, i int, was queue.State, grouped bool)

	// Take offers visible messages in the order in which they should go out,
	// until an Offer is answered with Full or there is none left.
	Take(o *Offer)

	// Drop tells that a page without messages is freed. It may happen while
	// Take offers messages of that very page.
	Drop(p *Page)

	// Clear tells that the queue was emptied; Drop isn't called for its pages.
	Clear()

	// Check returns an error if the Order's own indexes disagree with the pages,
	// which it is given in ascending order. It is for tests.
	Check(pages []*Page) error
}

// A Host is what an Order has of the queue it serves.
type Host struct {
	Pages *Pages    // all pages there are
	Seed  [2]uint64 // random, and the same whenever the queue is opened
}

// A Deduplicator is an Order that recognises repeated messages. The engine asks
// it before it accepts a message, and tells it of each that it accepts.
type Deduplicator interface {
	// Key returns what a message of that deduplication ID is recognised by; group
	// is empty where IDs are the whole queue's. It is called without the lock.
	Key(group, id string) [16]byte

	// Known returns the number of the message that was accepted under that key,
	// if it is still remembered at now, in ms.
	Known(key [16]byte, now int64) (seq uint64, ok bool)

	// Remember notes an accepted message. Untils, in ms, come in ascending order.
	Remember(key [16]byte, seq uint64, until int64)

	// Forget frees a bounded number of entries whose time is over. It returns when
	// the next one's is, or [Never], and whether there is more to free now.
	Forget(now int64) (next int64, more bool)
}

// Undone stands for in flight where Show tells of a message whose receive is
// undone: it goes back to where it was, as if it had never been taken.
const Undone = queue.InFlight + 1

// Never is a time, in ms, that does not come.
const Never int64 = never

// An Answer is what became of an offered message.
type Answer uint8

const (
	Full    Answer = iota // nothing: the receive takes no more; stop offering
	Taken                 // it is in flight now, and goes out with this receive
	Leaving               // it is in flight now, on its way to another queue: it may come back
	Removed               // its retention was over: it is gone, and Gone was told
)
