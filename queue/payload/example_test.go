package payload_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/standard"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Ten megabytes go through a queue that takes one.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "payload")
	check(err)
	defer os.RemoveAll(dir)

	inner, err := standard.New(queue.Config{})
	check(err)
	blobs, err := payload.Dir(filepath.Join(dir, "blobs"))
	check(err)
	q, err := payload.Wrap(inner, blobs, payload.Options{Bucket: "orders"})
	check(err)
	defer q.Close()

	_, err = q.Send(ctx, queue.Message{Body: strings.Repeat("large ", 10<<20/6)})
	check(err)
	got, err := q.Receive(ctx, queue.ReceiveOptions{})
	check(err)
	for _, d := range got {
		fmt.Println(len(d.Body), "bytes")
		check(q.Delete(ctx, d.Receipt)) // the message, then its blob
	}
	for range blobs.List(ctx, "orders", "") {
		fmt.Println("a blob is left")
	}
	// Output: 10485756 bytes
}

// The consumer of a dead-letter queue wraps that queue as well: pointers move,
// blobs stay where they are.
func ExampleWrap_deadLetters() {
	ctx := context.Background()
	blobs := payload.NewMemory()
	dead, err := standard.New(queue.Config{Name: "orders-dead"})
	check(err)
	orders, err := standard.New(queue.Config{Name: "orders", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 5}})
	check(err)
	o := payload.Options{Bucket: "orders", Always: true}
	q, err := payload.Wrap(orders, blobs, o)
	check(err)
	defer q.Close()
	letters, err := payload.Wrap(dead, blobs, o)
	check(err)
	defer letters.Close()

	_, err = q.Send(ctx, queue.Message{Body: "no such customer"})
	check(err)
	got, err := q.Receive(ctx, queue.ReceiveOptions{})
	check(err)
	check(q.DeadLetter(ctx, got[0].Receipt, "unknown customer"))

	got, err = letters.Receive(ctx, queue.ReceiveOptions{})
	check(err)
	fmt.Printf("%s: %s\n", got[0].DeadLetterReason, got[0].Body)
	// Output: unknown customer: no such customer
}

// Blobs that no message points to are found and removed.
func ExampleCollect() {
	ctx := context.Background()
	inner, err := standard.New(queue.Config{})
	check(err)
	blobs := payload.NewMemory()
	q, err := payload.Wrap(inner, blobs, payload.Options{Bucket: "orders", Always: true})
	check(err)
	defer q.Close()

	_, err = q.Send(ctx, queue.Message{Body: "one"})
	check(err)
	check(inner.Purge(ctx)) // leaves the blob
	_, err = q.Send(ctx, queue.Message{Body: "two"})
	check(err)

	// Nobody sends meanwhile, or MinAge would be a day.
	found, err := payload.Collect(ctx, blobs, payload.CollectOptions{Bucket: "orders", MinAge: queue.None}, q)
	check(err)
	fmt.Println(len(found.Orphans), "removed,", found.Used, "in use")
	// Output: 1 removed, 1 in use
}

// What goes to the queue is what Amazon's libraries write.
func ExamplePointer_Body() {
	fmt.Println(payload.Pointer{Bucket: "b", Key: "k"}.Body(false))
	fmt.Println(payload.Pointer{Bucket: "b", Key: "k"}.Body(true))
	// Output:
	// ["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]
	// ["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"b","s3Key":"k"}]
}
