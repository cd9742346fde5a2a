// Package worker runs handlers over a queue: what users of SQS write around a queue,
// once and whole. It works over any queue.Queue.
//
//	err := worker.Run(ctx, q, func(ctx context.Context, d *queue.Delivery) error {
//		return resize(ctx, d.Body)
//	}, worker.Options{Concurrency: 20})
//
// # The life of a message in a worker
//
// Run receives no more messages than it has handlers free for, or, if these take less
// than a millisecond, than they can handle in that time. While a handler runs, the
// message's visibility timeout is extended, so that nobody else receives it: the worker
// has a lease on it. A handler that returns nil has its message deleted. An error lets
// it come back after a back-off, or as RetryAfter and DeadLetter say. A panic is an
// error too, with the stack in the log.
//
// # When the lease is lost
//
// A lease ends when extending it fails for too long, or after Options.MaxHold. Then
// the message is visible again and somebody else may hold it. The handler's context ends
// with ErrLeaseLost, and whatever it returns afterwards has no effect on the message:
// above all, success doesn't delete it.
//
// # FIFO queues
//
// Messages of a group are handled one after the other and in order, however many
// handlers run. When one fails, those of its group that were received with it go back
// unhandled, and come after it again.
//
// # Stopping
//
// When Run's context ends, nothing more is received; what was received and not begun
// goes back at once; running handlers may go on for Options.Grace, near the end of
// which their contexts end with ErrStopping. What is not done by then goes back at
// once.
//
// # Around it
//
// JSON and Typed decode bodies, With adds middleware, Messages is a loop for who wants no
// handler, and a Sender fills batches. RunBatch hands several messages to a handler at
// once. Trace, Metrics and a Logger tell what happens.
package worker
