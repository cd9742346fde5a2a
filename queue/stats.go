package queue

// Stats are a queue's counters at one instant. They balance:
//
//	Accepted + Adopted + Recovered =
//		Pending + Delayed + Visible + InFlight + Unreadable +
//		Deleted + Expired + Moved + Purged
type Stats struct {
	// How many messages are in each state now. A message on its way to the
	// dead-letter queue counts as in flight.
	Pending, Delayed, Visible, InFlight int

	// Unreadable is how many messages a store has kept and can't read back: the
	// Receive that came upon one returned an error that is [ErrStoreCorrupt], and
	// says where the damage is. A Standard queue goes on without them; a FIFO queue
	// hands out nothing that is younger.
	Unreadable int

	// How many messages came in since the queue was opened: by Send (without
	// suppressed duplicates), from another queue, and from the store at opening.
	Accepted, Adopted, Recovered uint64

	// How many left since then: deleted, expired by retention, moved to another
	// queue, purged.
	Deleted, Expired, Moved, Purged uint64

	Received   uint64 // deliveries handed out, redeliveries included
	Duplicates uint64 // sends that a FIFO queue suppressed
	Waiting    int    // receivers in a long poll now
}
