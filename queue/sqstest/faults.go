package sqstest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqsapi"
)

// Faults say how often a correct queue does what code forgets that it may do. Each
// is a chance between 0, never, and 1, always. The zero Faults are none.
//
// SQS allows the first six to Standard queues only: FIFO queues, and queues with
// FencedReceipts, never do these.
type Faults struct {
	// Duplicate is of a delivery: the message is receivable again, at some time
	// before the visibility timeout passes that its receiver was told. A receiver
	// who extends the timeout before keeps the message. If it is deleted before somebody
	// else has received it, the delete is late, as LateDelete says. The duplicate counts
	// as a receive; a message that is near its dead-letter queue has none.
	Duplicate float64

	// Late is of a message that is sent without a delay: it becomes receivable up to
	// two seconds late, so that others overtake it. It looks delayed meanwhile.
	Late float64

	// Shuffle is of a receive: its messages are in another order.
	Shuffle float64

	// Empty is of a receive that doesn't wait: it returns nothing, though there are
	// messages; not more often in a row than InARow says.
	Empty float64

	// LateDelete is of a delete that succeeds: it takes effect about five seconds later,
	// or when the message has been received once more, whichever comes first. A message
	// that is near its dead-letter queue is deleted at once.
	LateDelete float64

	// Expired is of a delete or change of visibility after the visibility timeout
	// that its receiver was told: it fails with queue.ErrReceiptExpired. Otherwise the
	// receipts of a Standard queue go on working.
	Expired float64

	// Partial is of a receive that asks for several messages: it returns fewer, though
	// there are more, but at least one.
	Partial float64

	// Throttle is of any call about messages: it fails with queue.ErrThrottled and has had no effect. In
	// a batch that is so of each entry, but of a FIFO queue's SendBatch as a whole; a
	// batch of which nothing is left fails as a whole, too.
	Throttle float64

	// Lose is of any call about messages: it takes effect, and then its answer is lost. From a Queue it
	// fails with ErrLost; an SDK sees that the connection broke.
	Lose float64

	// Slow is of any call about messages: it takes up to SlowBy before it begins. Zero SlowBy means
	// one second.
	Slow   float64
	SlowBy time.Duration

	// Skew is how far the queue's clock may be from the caller's, in either
	// direction: SentAt and FirstReceivedAt of deliveries show it.
	Skew time.Duration

	// InARow bounds how many times the same call fails in a row, by Throttle and Lose
	// together: a send of the same message or batch, a call with the same receipts, a
	// receive of the queue, whoever makes them. Zero means 2, so that the three attempts which SDKs make suffice; a
	// negative number is no bound.
	InARow int

	// Calls are the methods of queue.Queue that Throttle, Lose and Slow happen to, such
	// as "Delete", also where an SDK calls them otherwise. None means all.
	Calls []string
}

var methods = []string{"Send", "SendBatch", "Receive", "Delete", "DeleteBatch", "ChangeVisibility", "ChangeVisibilityBatch"}

// check returns what is wrong with f: a fault that can't happen shows nothing.
func (f *Faults) check() error {
	for name, chance := range map[string]float64{
		"Duplicate": f.Duplicate, "Late": f.Late, "Shuffle": f.Shuffle, "Empty": f.Empty, "LateDelete": f.LateDelete, "Expired": f.Expired,
		"Partial": f.Partial, "Throttle": f.Throttle, "Lose": f.Lose, "Slow": f.Slow,
	} {
		if !(chance >= 0 && chance <= 1) {
			return fmt.Errorf("chance %s is %v: give one between 0 and 1", name, chance)
		}
	}
	if f.SlowBy < 0 || f.Skew < 0 {
		return fmt.Errorf("faults have SlowBy %v and Skew %v: neither may be negative", f.SlowBy, f.Skew)
	}
	for _, call := range f.Calls {
		if !slices.Contains(methods, call) {
			return fmt.Errorf("faults are of calls %q: there are only %s", call, strings.Join(methods, ", "))
		}
	}
	return nil
}

func (f *Faults) inARow() int {
	if f.InARow == 0 {
		return 2
	}
	return f.InARow
}

// Realistic returns the faults that clients of a busy Standard queue should expect,
// much more often than they happen there, so that a test meets them.
func Realistic() Faults {
	return Faults{
		Duplicate: 0.02, Late: 0.2, Shuffle: 0.5, Empty: 0.1, LateDelete: 0.02, Expired: 0.5,
		Partial: 0.3, Throttle: 0.02, Lose: 0.02, Slow: 0.05, SlowBy: 200 * time.Millisecond, Skew: 50 * time.Millisecond,
	}
}

const (
	lateBy       = 2 * time.Second                    // of Faults.Late, at most
	lateDeleteBy = 5*time.Second - time.Millisecond/2 // never at one instant with a timeout
	againWithin  = time.Second                        // a message whose delete is late is receivable again
)

// ErrLost is the error of a call that took effect but whose answer was lost. It is
// queue.ErrUncertain too.
var ErrLost = fmt.Errorf("answer lost: %w: %w", queue.ErrUncertain, sqsapi.ErrNoAnswer)

// Kind is what kind of fault happened.
type Kind string

// The kinds of faults, one for each chance in [Faults], and Chosen for those of
// [Kit.Chance].
const (
	Duplicated  Kind = "duplicated"
	DelayedSend Kind = "late"
	Shuffled    Kind = "shuffled"
	EmptyAnswer Kind = "empty"
	DeletedLate Kind = "delete late"
	ExpiredSoon Kind = "receipt expired"
	FewerThan   Kind = "partial"
	Throttled   Kind = "throttled"
	Lost        Kind = "answer lost"
	Slowed      Kind = "slow"
	Chosen      Kind = "chosen"
)

// A Fault is one that happened.
type Fault struct {
	At    time.Time
	Queue string // its name; empty if Chosen
	Call  string // the method of queue.Queue, or what Kit.Chance was asked for
	Kind  Kind
	Body  string        // of the message it is about; empty if it is about none, or a whole batch
	N     int           // how many times the same was decided, this one included
	By    time.Duration // how late, or how early a duplicate; otherwise zero

	position uint64 // of the message; zero if it isn't known
}
