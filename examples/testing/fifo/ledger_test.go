package fifo

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

var bug = flag.Bool("bug", false, "test the consumer that has the bug")

var errCrash = errors.New("crashed")

// books are a database in memory whose users crash, by chance.
type books struct {
	k *sqstest.Kit

	mu       sync.Mutex // guards the fields below
	balances map[string]int
	booked   map[string]bool
}

// Update implements Books. Whoever calls it may die before the commit or after.
func (b *books) Update(_ context.Context, change func(Tx) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	tx := &tx{balances: maps.Clone(b.balances), booked: maps.Clone(b.booked)}
	if err := change(tx); err != nil {
		return err
	}
	if b.k.Chance(0.02, "crash before the commit of", tx.movement) {
		return errCrash
	}
	b.balances, b.booked = tx.balances, tx.booked
	if b.k.Chance(0.02, "crash after the commit of", tx.movement) {
		return errCrash
	}
	return nil
}

// A tx is a transaction: a copy of everything.
type tx struct {
	balances map[string]int
	booked   map[string]bool
	movement string // that it is about
}

func (tx *tx) Balance(account string) int           { return tx.balances[account] }
func (tx *tx) SetBalance(account string, cents int) { tx.balances[account] = cents }
func (tx *tx) Booked(movement string) bool          { tx.movement = movement; return tx.booked[movement] }
func (tx *tx) SetBooked(movement string)            { tx.movement = movement; tx.booked[movement] = true }

// Two accounts, and what they come to if every movement counts once and in order: then
// there isn't enough money for a4 and b2.
var (
	movements = []Movement{
		{"a1", "alice", 100}, {"a2", "alice", -30}, {"a3", "alice", 20}, {"a4", "alice", -95}, {"a5", "alice", -90},
		{"b1", "bob", 10}, {"b2", "bob", -20}, {"b3", "bob", 500}, {"b4", "bob", -505}, {"b5", "bob", -4},
	}
	balances = map[string]int{"alice": 0, "bob": 1}
)

func TestLedger(t *testing.T) {
	o := sqstest.Options{Faults: sqstest.Faults{Throttle: 0.02, Lose: 0.05, Slow: 0.05, Partial: 0.2}}
	sqstest.Seeds(t, 1000, o, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("movements.fifo", queue.Config{})
		b := &books{k: k, balances: make(map[string]int), booked: make(map[string]bool)}

		ctx, stop := context.WithCancel(t.Context())
		var consumers, clerks sync.WaitGroup
		for range 2 {
			consumers.Go(func() {
				err := errCrash
				for errors.Is(err, errCrash) { // it is started again
					c := Consumer{Queue: q, Books: b, bug: *bug}
					err = c.Run(ctx)
				}
				if ctx.Err() == nil {
					t.Error(err)
				}
			})
		}
		post := func(m Movement) {
			if err := Post(ctx, q, m); err != nil {
				t.Error(err)
			}
		}
		for _, m := range movements {
			time.Sleep(time.Second)
			post(m)
			if k.Chance(0.1, "ordered again", m.ID) {
				clerks.Go(func() {
					time.Sleep(queue.DeduplicationInterval + time.Minute) // the queue takes it for a new one
					post(m)
				})
			}
		}
		clerks.Wait()
		if !q.RunUntilDrained(time.Hour) {
			t.Error("there are movements left")
		}
		stop()
		consumers.Wait()
		if !maps.Equal(b.balances, balances) {
			t.Errorf("balances are %v, want %v", b.balances, balances)
		}
	})
}

// The kit finds the bug, and says what happened.
func TestTheBugIsFound(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLedger$", "-bug")
	command.Env = append(os.Environ(), "RESTANTE_SEED=")
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("the test passes with the bug:\n%s", out)
	}
	for _, want := range []string{"balances are", "RESTANTE_SEED=", "crash after the commit of"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the test fails, but doesn't say %q:\n%s", want, out)
		}
	}
}
