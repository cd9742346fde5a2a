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
	// Add tells of an accepted message, pending or delayed. It can't be taken,
	// but blocks those behind it where order matters.
	Add(p *Page, i int)

	// Show tells that a message is receivable now: it was committed, its delay
	// is over, it timed out, it was released, or its receive was undone. Was is
	// the state it comes from.
	Show(p *Page, i int, was queue.State)

	// Hide tells that a message that was visible no longer is, other than by
	// Take: somebody extended an expired lease, or the queue's delay was raised.
	Hide(p *Page, i int)

	// Gone tells that a message left the queue: deleted, expired, moved. Was is
	// the state it leaves. It isn't called for what Offer answered with Removed.
	Gone(p *Page, i int, was queue.State)

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

// An Answer is what became of an offered message.
type Answer uint8

const (
	Full    Answer = iota // nothing: the receive takes no more; stop offering
	Taken                 // it is in flight now, and goes out with this receive
	Leaving               // it is in flight now, on its way to another queue: it may come back
	Removed               // it is gone: its retention was over
)
