// Hello sends a message, receives it and deletes it: the whole life of one.
//
//	go run ./examples/hello
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

func main() {
	ctx := context.Background()
	q, err := standard.New(queue.Config{}) // SQS's defaults
	check(err)
	defer q.Close()

	_, err = q.Send(ctx, queue.Message{Body: "hello"})
	check(err)
	got, err := q.Receive(ctx, queue.ReceiveOptions{}) // hidden from everybody else for 30 seconds
	check(err)
	for _, d := range got {
		fmt.Println(d.Body)
		check(q.Delete(ctx, d.Receipt)) // done; else it comes back
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
