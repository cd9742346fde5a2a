// Package fifo books deposits and withdrawals that come out of a FIFO queue, and shows
// how to test with the kit sqstest that each counts once. Copy ledger.go and
// ledger_test.go.
//
// Each account is a message group, so its movements come in order; but the same one may
// come twice, because a consumer died before it deleted the message, an answer was
// lost, or somebody ordered it again after the five minutes in which the queue would
// know it. The test does all of that for a thousand seeds, which takes less than a
// second, and looks at the balances.
//
// With the flag -bug the consumer remembers what it has booked in another transaction
// than the one that books it.
//
//	go test ./examples/testing/fifo
//	go test ./examples/testing/fifo -bug
//
// The second one fails, at the first seed where that makes a difference. Add
// RESTANTE_SEED=16 in front to see it again:
//
//	balances are map[alice:15 bob:1], want map[alice:0 bob:1]
//	transcript with seed 16 (RESTANTE_SEED=16 repeats it), times since sqstest.New
//	...
//	  #3 `{"ID":"a3","Account":"alice","Amount":20}`, group "alice"
//	                4s  sent
//	                4s  received (1), for 30s
//	               34s  visible again, timed out
//	               34s  received (2), for 30s
//	...
//	faults:
//	                4s  crash after the commit of a3
package fifo
