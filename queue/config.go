package queue

import "time"

// None says "really zero" in a field where zero means the default: no delay,
// no wait, no visibility timeout. Any other negative duration is refused with
// [ErrInvalidParameter].
const None time.Duration = -1

// Config describes a queue. The zero value is a queue with SQS's defaults. It
// is copied wherever it is passed.
type Config struct {
	// Name identifies the queue in its store, in errors, and in the
	// DeadLetterSource of messages that left it. It may be empty for a queue in
	// memory. Under [SQSLimits] it has the form of an SQS queue name: 1 to 80
	// letters, digits, hyphens and underscores, the name of a FIFO queue ending
	// in ".fifo".
	Name string

	// ARN tells the queue from others of the same Name, as a broker has them in
	// several accounts and regions: if it isn't empty, it takes Name's place in the
	// store and in DeadLetterSource. It is not looked into.
	ARN string

	// VisibilityTimeout hides a received message: up to [MaxVisibility].
	// Zero means [DefaultVisibility], 30 seconds.
	VisibilityTimeout time.Duration

	// Delay hides a message after it was sent: up to [MaxDelay]. Zero means
	// none.
	Delay time.Duration

	// Retention is how long a message lives, counted from its sending, also
	// while in flight: [MinRetention] to [MaxRetention]. Zero means
	// [DefaultRetention], four days.
	Retention time.Duration

	// ReceiveWait is how long a Receive waits when it does not say: up to
	// [MaxWait]. Zero means not at all.
	ReceiveWait time.Duration

	// MaxMessageSize limits [Message.Size], in bytes: [MinMessageLimit] to
	// [MaxMessage]. Zero means MaxMessage, 1 MiB.
	MaxMessageSize int

	// ContentDeduplication derives a missing deduplication ID from the SHA-256
	// of the body. FIFO only, as are the next three; a Standard queue refuses
	// them with ErrNotForThisQueue.
	ContentDeduplication bool
	DeduplicationScope   DeduplicationScope
	// ThroughputLimit is kept and validated as SQS does; the queue itself has
	// no throughput ceiling.
	ThroughputLimit ThroughputLimit
	// EnforceThroughput gives it SQS's, for tests: above [MaxFIFOCalls] calls a
	// second of Send, of Receive or of Delete, batches counted once, a call gets
	// ErrThrottled. High throughput (PerMessageGroupID) lifts that.
	EnforceThroughput bool

	// FencedReceipts refuses every receipt but the latest unexpired one, with
	// ErrReceiptExpired: a worker that was too slow can't delete a message that
	// somebody else holds by now. FIFO queues always do so. SQS's Standard
	// queues don't, hence it is off by default.
	FencedReceipts bool

	// Limits says whose limits apply: SQS's, or none.
	Limits Limits

	// What follows are collaborators, not data.

	// DeadLetter says where messages go that are received too often.
	DeadLetter DeadLetter

	// Trace, if not nil, is told of every step in the life of every message.
	Trace *Trace
}

// DeadLetter is the rule by which messages leave a queue that could not be
// dealt with. The zero value is none.
type DeadLetter struct {
	// Target takes the messages over. It must be of the same kind as the queue,
	// and another queue. If it fails, the message stays and is delivered again.
	// What a target in memory has taken over is gone with the process, also if
	// the queue itself lives in a store. Two queues must not be each other's
	// target: a message that is received too often would go round between them.
	Target Adopter

	// MaxReceives is how many times a message is delivered: the Receive that
	// would deliver it once more moves it to Target instead. 1 to
	// [MaxReceivesLimit] under [SQSLimits].
	MaxReceives int
}

// DeduplicationScope is the space in which FIFO deduplication IDs are unique.
type DeduplicationScope uint8

const (
	ScopeQueue        DeduplicationScope = iota // the whole queue
	ScopeMessageGroup                           // each message group
)

// ThroughputLimit is SQS's FIFO throughput attribute.
type ThroughputLimit uint8

const (
	PerQueue          ThroughputLimit = iota // of the whole queue
	PerMessageGroupID                        // of each group; allowed with ScopeMessageGroup only
)

// Limits chooses the limits a queue enforces.
type Limits uint8

const (
	// SQSLimits are Amazon's, so that a test fails where production would.
	SQSLimits Limits = iota

	// Unlimited lifts them for purely local use: sizes, counts, durations, the
	// in-flight limit, and the character set of bodies. Negative values are
	// still refused.
	Unlimited
)
