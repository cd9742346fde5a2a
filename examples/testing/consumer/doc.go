// Package consumer does the jobs of a queue, and shows how to test that with the kit
// sqstest. Copy consumer.go and consumer_test.go.
//
// Jobs take seconds or hours, so a worker that is at one extends its visibility
// timeout again and again; what fails three times goes to the dead-letter queue. The
// tests let twelve hours pass and more, in milliseconds: no two workers ever do the
// same job, each job is done once, and who takes longer than SQS lets anybody hold a
// message stops in time.
//
// With the flag -bug the consumer extends the timeout by the time that has passed, as
// if that were added to what is left. But SQS counts from now, so that nothing is left
// when the next call is due, and that one may take a moment.
//
//	go test ./examples/testing/consumer
//	go test ./examples/testing/consumer -bug
//
// The second one fails, and says when what happened:
//
//	2 workers do "song 5m" at the same time
//	...
//	  #3 "song 5m"
//	                0s  sent
//	              37ms  received (1), for 3m0s
//	          2m0.037s  ! jobs: ChangeVisibility "song 5m": slow, by 12ms
//	          2m0.049s  hidden, for 2m0s
//	          4m0.049s  visible again, timed out
//	          4m0.049s  received (2), for 3m0s
package consumer
