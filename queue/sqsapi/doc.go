// Package sqsapi speaks the wire protocol of Amazon SQS over the queues of a
// broker, so that programs written for SQS run against them unchanged.
//
// Within one process no socket is needed. [Client] takes the place of an SDK's
// HTTP client, with the AWS SDK for Go:
//
//	sqs.New(sqs.Options{Region: "us-east-1", Credentials: anyCredentials, HTTPClient: sqsapi.Client(b)})
//
// For other processes, [Handler] is an [http.Handler] to serve wherever one
// likes. It checks no signatures: whoever can reach it may do everything.
//
// # What is served
//
// The protocol is AWS JSON 1.0, which all current SDKs speak, with the actions
// CreateQueue, GetQueueUrl, SendMessage, ReceiveMessage and DeleteMessage. The
// other actions of SQS, the older Query protocol, tags, and those queue
// attributes that the broker doesn't support are refused with the error
// UnsupportedOperation.
//
// # Time
//
// A long poll lasts as long as its request's context, which for a handler ends
// when the client hangs up; a poll that ends so has received nothing. A server
// must not time out responses within [queue.MaxWait]. Nothing runs in the
// background, so clients work inside a bubble of testing/synctest, where a
// visibility timeout of twelve hours passes at once.
//
// # Text
//
// SQS's messages are text, and so is JSON. A body that isn't proper Unicode is
// refused, never repaired. Messages of other bytes, which a queue without
// limits takes from Go code, can't be received here unharmed.
package sqsapi
