package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqlitestore"
	"github.com/restantemq/restante/standard"
)

// A shop writes an order and sends the mail that confirms it: both, or neither.
func ExampleStore_SendTx() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// The application's own database. Transactions that send begin with BEGIN
	// IMMEDIATE and wait for each other.
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE orders (number INTEGER PRIMARY KEY, article TEXT)`); err != nil {
		log.Fatal(err)
	}

	// The store in it, a queue in the store, and the queue's outbox.
	st, err := sqlitestore.OpenDB(ctx, db, sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	q, err := standard.Open(ctx, st, queue.Config{Name: "mails"})
	if err != nil {
		log.Fatal(err)
	}
	mails, err := st.WithOutbox(ctx, q)
	if err != nil {
		log.Fatal(err)
	}
	defer mails.Close()

	order := func(article string, inStock bool) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // does nothing after the commit
		if _, err := tx.ExecContext(ctx, `INSERT INTO orders (article) VALUES (?)`, article); err != nil {
			return err
		}
		if err := st.SendTx(ctx, tx, mails, queue.Message{Body: "your " + article + " is on its way"}); err != nil {
			return err
		}
		if !inStock {
			return errors.New("there is no " + article)
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		return st.Deliver(ctx) // a crash just before loses nothing: the row is found later
	}
	fmt.Println(order("kettle", true))
	fmt.Println(order("teapot", false))

	got, err := mails.Receive(ctx, queue.ReceiveOptions{Max: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range got {
		fmt.Println(d.Body)
		if err := mails.Delete(ctx, d.Receipt); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// <nil>
	// there is no teapot
	// your kettle is on its way
}
