package outbox

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

var bug = flag.Bool("bug", false, "test the publisher that has the bug")

// A table is an outbox in memory.
type table []Order

// Pending implements Outbox.
func (t *table) Pending(context.Context) ([]Order, error) { return slices.Clone(*t), nil }

// Published implements Outbox.
func (t *table) Published(_ context.Context, ids ...string) error {
	*t = slices.DeleteFunc(*t, func(o Order) bool { return slices.Contains(ids, o.ID) })
	return nil
}

var orders = []Order{
	{"1", "alice", "tea"}, {"2", "bob", "milk"}, {"3", "alice", "cup"}, {"4", "carol", "bread"}, {"5", "bob", "jam"}, {"6", "alice", "pot"},
}

func TestPublish(t *testing.T) {
	// The SDK makes three attempts of a request. Here up to eight fail, so that the
	// publisher's own are needed too.
	o := sqstest.Options{Faults: sqstest.Faults{Throttle: 0.2, Lose: 0.2, Slow: 0.2, InARow: 8}}
	sqstest.Seeds(t, 300, o, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("orders.fifo", queue.Config{})
		outbox := table(slices.Clone(orders))
		p := Publisher{URL: q.URL(), Outbox: &outbox, bug: *bug, Client: sqs.New(sqs.Options{
			Region:      "us-east-1",
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			HTTPClient:  k.HTTPClient(),
		})}
		if err := p.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}

		receiveAll(t, q.Unwrap())
		for _, customer := range []string{"alice", "bob", "carol"} {
			q.ExpectOrder(customer, bodies(t, customer)...)
		}
	})
}

// receiveAll receives and deletes all messages of q.
func receiveAll(t *testing.T, q queue.Queue) {
	t.Helper()
	for {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: queue.MaxReceive})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return
		}
		for _, d := range got {
			if err := q.Delete(t.Context(), d.Receipt); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// bodies returns the messages that a customer's orders make.
func bodies(t *testing.T, customer string) (all []string) {
	t.Helper()
	for _, o := range orders {
		if o.Customer == customer {
			body, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(body))
		}
	}
	return all
}

// A batch never has two orders of a customer, the second of which could overtake the
// first.
func TestNext(t *testing.T) {
	for _, c := range []struct{ pending, want []Order }{
		{nil, nil},
		{orders, []Order{orders[0], orders[1], orders[3]}},
		{orders[2:], []Order{orders[2], orders[3], orders[4]}},
	} {
		if got := next(c.pending); !slices.Equal(got, c.want) {
			t.Errorf("next(%v) = %v, want %v", c.pending, got, c.want)
		}
	}
	var many []Order
	for i := range 3 * batch {
		many = append(many, Order{Customer: strconv.Itoa(i)})
	}
	if got := next(many); !slices.Equal(got, many[:batch]) {
		t.Errorf("next of %d orders is %v", len(many), got)
	}
}

// The kit finds the bug, and says what happened.
func TestTheBugIsFound(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPublish$", "-bug")
	command.Env = append(os.Environ(), "RESTANTE_SEED=")
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("the test passes with the bug:\n%s", out)
	}
	for _, want := range []string{"in another order", "RESTANTE_SEED=", "answer lost"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the test fails, but doesn't say %q:\n%s", want, out)
		}
	}
}
