// Package engine is the one lifecycle machine behind all queue types of this
// module. It is for authors of queue types, as database/sql/driver is for
// authors of drivers; users of queues need only the packages standard and fifo.
//
// The engine knows every message's state and moves it along; an [Order] decides
// which message goes out next. Follow a message through the files:
//
//	send.go        Send; insert.go: → pending → delayed or visible
//	durable.go     what a store's commits have to do with it
//	receive.go     visible → in flight; waiters.go: those who wait for a message
//	visibility.go  in flight → a later deadline, or visible again
//	expiry.go      deadlines: delays, visibility timeouts, retention
//	delete.go      any state → gone; Purge
//	deadletter.go  into another queue; adopt.go: from another queue
//	dedup.go       a FIFO send that repeats one; attempt.go: a receive that does
//
// # How messages are kept
//
// Sequence numbers are dense. A [Page] holds 256 of them in small slots without
// pointers, found by arithmetic; it also keeps what they carry, the senders'
// strings at first, and when it has fallen behind a packed copy of the small ones
// (content.go). So most traffic, which is nearly in order, pays for no index of its own: B-trees
// hold pages, with a bitmap of messages inside each, and a message that comes
// back merely sets a bit in an old page. A timing wheel ([visibility.Wheel])
// holds pages too, each at the earliest deadline it may have: most deadlines
// never come, because the message is deleted before, and then cost two bits.
//
// # Locking and time
//
// One mutex guards a queue. Nothing that can block is done under it: no I/O, no
// callback, no other queue's lock. A call reads the clock once, and the inner
// parts take the time as an argument. There is no goroutine: each Receive deals
// with what is due, and one timer does it when nobody calls.
//
// # With a store
//
// A change is appended to the store under the lock, in sequence order, and
// waited for outside it. A message that was sent is pending until its record is
// durable; whoever's wait ends first makes visible all that are, in sequence
// order.
package engine
