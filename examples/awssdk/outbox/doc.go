// Package outbox publishes orders from an outbox, a table in the database, to a FIFO
// queue with the AWS SDK for Go, and shows how to test that with the kit sqstest. Copy
// outbox.go and outbox_test.go.
//
// The SDK makes three attempts of a request; then the publisher begins anew, with what
// isn't known to have been accepted. In the test requests are throttled, and answers
// are lost after the request took effect, until both kinds of retry were needed; and
// each customer's orders come once and in order. The SDK's client is the one of
// production, but for its HTTPClient.
//
// With the flag -bug each of the publisher's own attempts has a new deduplication ID, by
// which SQS can't know what it has accepted already. The SDK's attempts repeat the same
// request, so an order comes twice only after three failures in a row, one of which was
// a lost answer.
//
//	cd examples/awssdk
//	go test ./outbox
//	go test ./outbox -bug
//
// The second one fails, and says why (the SDK's pauses are random, so times differ):
//
//	of group "alice" of orders.fifo other messages were received, or in another order
//	...
//	  #4 `{"ID":"3","Customer":"alice","Item":"cup"}`, group "alice"
//	            1.873s  sent
//	  #6 `{"ID":"3","Customer":"alice","Item":"cup"}`, group "alice"
//	            5.594s  sent
package outbox
