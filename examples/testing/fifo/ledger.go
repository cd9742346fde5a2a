package fifo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

const hiccup = time.Second // until a call that failed is made again

// A Movement is money that comes into an account or, if the amount is negative,
// leaves it.
type Movement struct {
	ID      string // given by who orders it, and the same whenever it is ordered again
	Account string
	Amount  int // in cents
}

// Post sends m, again and again until the queue has it.
func Post(ctx context.Context, q queue.Queue, m Movement) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return insist(ctx, func() error {
		// A repeated send is a duplicate to the queue, if it comes within five minutes.
		_, err := q.Send(ctx, queue.Message{Body: string(body), GroupID: m.Account, DeduplicationID: m.ID})
		return err
	})
}

// Books is the database.
type Books interface {
	// Update runs change in a transaction, which is committed unless change returns
	// an error.
	Update(ctx context.Context, change func(Tx) error) error
}

// A Tx is a transaction of Books.
type Tx interface {
	Balance(account string) int           // in cents; zero if it was never set
	SetBalance(account string, cents int) // replaces it
	Booked(movement string) bool          // whether SetBooked was called for that ID
	SetBooked(movement string)            // remembers it
}

// A Consumer books the movements that come out of a queue.
type Consumer struct {
	Queue queue.Queue
	Books Books

	bug bool // see book
}

// Run books movements until ctx ends, or an error says that it is no use going on.
// It may be ended at any point, by kill -9 too: what is in hand comes back at the
// end of its visibility timeout.
func (c *Consumer) Run(ctx context.Context) error {
	for {
		var got []queue.Delivery
		err := insist(ctx, func() (err error) {
			got, err = c.Queue.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxReceive, Wait: queue.MaxWait})
			return err
		})
		if err != nil {
			return err
		}
		for _, d := range got {
			var m Movement
			if err := json.Unmarshal([]byte(d.Body), &m); err != nil {
				return fmt.Errorf("message %v: %w", d.ID, err) // what comes after it must not be booked before it
			}
			if err := c.book(ctx, m); err != nil {
				return err
			}
			// If this fails the message comes back, and is known then.
			_ = c.Queue.Delete(ctx, d.Receipt)
		}
	}
}

// book books m, unless that was done before. It goes by the movement's ID: who
// orders a movement again after more than five minutes makes another message.
func (c *Consumer) book(ctx context.Context, m Movement) error {
	if c.bug {
		return c.bookAndThenRemember(ctx, m)
	}
	return c.Books.Update(ctx, func(tx Tx) error {
		if !tx.Booked(m.ID) {
			apply(tx, m)
			tx.SetBooked(m.ID)
		}
		return nil
	})
}

// bookAndThenRemember is the bug: whoever dies between the two transactions books
// the movement, and the next one does so again.
func (c *Consumer) bookAndThenRemember(ctx context.Context, m Movement) error {
	err := c.Books.Update(ctx, func(tx Tx) error {
		if !tx.Booked(m.ID) {
			apply(tx, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.Books.Update(ctx, func(tx Tx) error {
		tx.SetBooked(m.ID)
		return nil
	})
}

// apply changes the balance, unless there is too little money for that.
func apply(tx Tx, m Movement) {
	if balance := tx.Balance(m.Account) + m.Amount; balance >= 0 {
		tx.SetBalance(m.Account, balance)
	}
}

// insist makes a call again while the queue is throttled or doesn't answer.
func insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if !errors.Is(err, queue.ErrThrottled) && !errors.Is(err, queue.ErrUncertain) {
			return err
		}
		select {
		case <-time.After(hiccup):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
