package queue

import "time"

// The limits of Amazon SQS, as its service model (API version 2012-11-05) and
// the quota pages of its developer guide state them in 2026. They bind queues
// whose Config.Limits is [SQSLimits].
const (
	MaxBatch         = 10      // entries of a batch call
	MaxBatchBytes    = 1 << 20 // summed Message.Size of a SendBatch, whatever Config.MaxMessageSize
	MaxMessage       = 1 << 20 // bytes; the largest and the default Config.MaxMessageSize
	MinMessageLimit  = 1 << 10 // bytes; the smallest Config.MaxMessageSize
	MaxReceive       = 10      // ReceiveOptions.Max
	MaxInFlight      = 120_000 // messages in flight
	MaxReceivesLimit = 1_000   // DeadLetter.MaxReceives
	MaxFIFOCalls     = 300     // calls a second of Send, of Receive and of Delete on a FIFO queue without high throughput
	MaxIDLength      = 128     // characters of group, deduplication and attempt IDs

	MaxAttributes          = 10  // attributes of a message
	MaxAttributeNameLength = 256 // bytes
	MaxAttributeTypeLength = 256 // bytes, label included

	DefaultVisibility = 30 * time.Second
	MaxVisibility     = 12 * time.Hour // also in total, counted from the receive
	MaxDelay          = 15 * time.Minute
	MaxWait           = 20 * time.Second
	MinRetention      = time.Minute
	DefaultRetention  = 4 * 24 * time.Hour
	MaxRetention      = 14 * 24 * time.Hour

	// ReceiptLifetime is how long a Standard queue's receipt works, counted
	// from its receive. SQS documents no figure; a receipt was seen refused
	// after 15 hours, and 12 is the longest a message can be held.
	ReceiptLifetime = 12 * time.Hour

	// DeduplicationInterval is how long a FIFO queue remembers a deduplication
	// ID, and AttemptInterval a receive attempt ID.
	DeduplicationInterval = 5 * time.Minute
	AttemptInterval       = 5 * time.Minute
)
