// Package sqsapi speaks the wire protocol of Amazon SQS over the queues of a
// broker, so that programs written for SQS run against them unchanged.
//
// Within one process no socket is needed. [Client] takes the place of an SDK's
// HTTP client, with the AWS SDK for Go:
//
//	sqs.New(sqs.Options{Region: "us-east-1", Credentials: anyCredentials, HTTPClient: sqsapi.Client(b)})
//
// For other processes, [Handler] is an [http.Handler] to serve wherever one
// likes.
//
// # What is served
//
// All 23 actions of SQS, in two protocols: AWS JSON 1.0, which SDKs speak since
// the end of 2023, and the older Query protocol with its answers in XML. Errors
// have SQS's codes and statuses in both. Each request's shape stands once, in
// shapes.go, for either protocol.
//
// # Accounts and regions
//
// A request belongs to the region for which it was signed, and to the account that
// is its access key ID, if that is a number of 12 digits; a queue's URL may name
// another account. So tests that share a process share no queues. See
// [Options.Scope] to have one place for all.
//
// # Who may ask
//
// With [Options.Credentials], requests are served that are signed with one of
// them. Without, those are that come from this machine and are addressed to it,
// whatever they are signed with: a broker for tests needs no more, and a web page
// in a browser of this machine can't reach it. The in-process client may always
// ask.
//
// # Time
//
// A long poll lasts as long as its request's context, which for a handler ends
// when the client hangs up; a poll that ends so has received nothing. A server
// must not time out responses within [queue.MaxWait]. Nothing runs in the
// background, so clients work inside a bubble of testing/synctest, where a
// visibility timeout of twelve hours passes at once. A broker and its clients belong to
// the bubble in which they are used first: elsewhere a client refuses to work.
//
// # Text
//
// SQS's messages are text, and so are JSON and XML. A body that isn't proper
// Unicode is refused, never repaired. Messages of other bytes, which a queue
// without limits takes from Go code, can't be received here unharmed.
package sqsapi
