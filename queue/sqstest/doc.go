// Package sqstest is a test kit for code that uses SQS: it makes tests of producers
// and consumers exact, instant and honest.
//
//	func TestConsumer(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			k := sqstest.New(t, sqstest.Options{Faults: sqstest.Realistic()})
//			jobs := k.Create("jobs", queue.Config{})
//			go consume(t.Context(), jobs) // the code under test
//			jobs.Unwrap().Send(t.Context(), queue.Message{Body: "one"}) // by the test, without faults
//			jobs.ExpectDrained(time.Hour)
//			jobs.ExpectDeleted("one")
//		})
//	}
//
// # One kit a test
//
// New makes a Kit: a broker in memory that ends with the test. Tests that have a kit
// each share nothing and may run in parallel. At the end of the test the kit closes
// itself; a call that is still running then, the poll of a consumer that nobody
// stopped, say, is an error. If the test failed, the kit prints a transcript: each
// message with all that happened to it.
//
// # Two doors
//
// What Kit.Create returns is a queue.Queue. Kit.HTTPClient is the HTTP client for the
// AWS SDK for Go, unmodified, without a socket; Kit.Handler serves clients in other
// languages. All of them lead to the same queues, through the same faults, whereas
// Queue.Unwrap, and the queues of Kit.Broker, never misbehave: they are the test's own
// hands. Faults happen to calls about messages, not to those about queues.
//
// # Time
//
// Inside a bubble of testing/synctest time is virtual: twelve hours of visibility
// timeout pass at once, and WaitFor and ExpectNone are exact, because the kit sees
// when everything else waits. Outside of bubbles they take real time, and are bounded
// by Options.Patience.
//
// # Faults
//
// SQS keeps its promises, which are weaker than what most tests see: a Standard queue
// repeats and reorders messages, a receive may come back empty, a call may be refused
// for a while, and an answer may be lost after the call has had its effect. With
// Faults a queue of the kit does that too. Nothing is lost and nothing invented; code
// that fails then would fail in production.
//
// Whether a fault happens is computed from the seed, the queue, the message, the kind
// of fault and how many times that was asked, not from the order of calls: the same
// seed repeats a run, also when goroutines take turns otherwise. Seeds runs a test for
// many. A failed test says its seed, and the environment variable RESTANTE_SEED
// repeats it:
//
//	RESTANTE_SEED=17 go test -run TestConsumer
//
// A message is known by its queue, body and group, and by its number among equal
// ones; a receive by its number among those of its queue; a batch by what is in it.
// What the seed can't decide is the order in which goroutines run at one instant, say
// when a timeout and a call fall on the same millisecond, and what the code under test
// leaves to chance: the AWS SDK's pauses between attempts are random unless its retryer
// has a Backoff of the test's.
package sqstest
