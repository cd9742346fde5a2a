package standard_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

// fairDesk is a queue with the verbs of the cases below. Bodies are the tenants'
// names.
type fairDesk struct {
	*testing.T
	q    *standard.Queue
	held map[string][]queue.Receipt
}

func (d *fairDesk) send(tenant string, n int) {
	d.Helper()
	m := queue.Message{Body: tenant, GroupID: tenant}
	if tenant == "nobody" {
		m.GroupID = ""
	}
	for range n {
		if _, err := d.q.Send(d.Context(), m); err != nil {
			d.Fatal(err)
		}
	}
}

// receive takes n messages one by one and returns whose they were, shortened:
// "a*3 b*1".
func (d *fairDesk) receive(n int) string {
	d.Helper()
	runs, last, count := "", "", 0
	flush := func() {
		if count > 0 {
			runs += fmt.Sprintf("%s*%d ", last, count)
		}
	}
	for range n {
		got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{VisibilityTimeout: time.Hour})
		if err != nil {
			d.Fatal(err)
		}
		name := "-"
		if len(got) == 1 {
			name = got[0].Body
			d.held[name] = append(d.held[name], got[0].Receipt)
		}
		if name != last {
			flush()
			last, count = name, 0
		}
		count++
	}
	flush()
	return runs[:len(runs)-1]
}

func (d *fairDesk) delete(tenant string, n int) {
	d.Helper()
	for _, r := range d.held[tenant][:n] {
		if err := d.q.Delete(d.Context(), r); err != nil {
			d.Fatal(err)
		}
	}
	d.held[tenant] = d.held[tenant][n:]
}

func (d *fairDesk) want(n int, want string) {
	d.Helper()
	if got := d.receive(n); got != want {
		d.Errorf("the next %d messages were %s; want %s", n, got, want)
	}
	if err := d.q.Check(); err != nil {
		d.Error(err)
	}
}

// The rules are those of the SQS developer guide, "Amazon SQS fair queues".
var fairCases = []struct {
	name string
	rule string
	test func(*fairDesk)
}{
	{"quiet-first", "a tenant with an outsized share in flight doesn't delay the others", func(d *fairDesk) {
		d.send("noisy", 200)
		d.want(40, "noisy*40")
		d.send("quiet", 3)
		d.want(5, "quiet*3 noisy*2")
	}},
	{"noisy-keeps-capacity", "noisy tenants are neither throttled nor dropped", func(d *fairDesk) {
		d.send("noisy", 100)
		d.want(100, "noisy*100")
		d.want(1, "-*1")
	}},
	{"thirty-in-flight", "below 30 in flight nobody is noisy", func(d *fairDesk) {
		d.send("a", 40)
		d.want(29, "a*29")
		d.send("b", 1)
		d.want(2, "a*1 b*1")
	}},
	{"a-tenth", "a share of a tenth is not noisy, more is", func(d *fairDesk) {
		d.send("nobody", 270)
		d.want(270, "nobody*270")
		d.send("a", 40)
		d.want(30, "a*30") // 30 of 300
		d.send("b", 1)
		d.want(2, "a*1 b*1") // 31 of 301 then
		d.send("c", 1)
		d.want(2, "c*1 a*1")
	}},
	{"no-group-is-its-own-tenant", "messages without a group are never noisy", func(d *fairDesk) {
		d.send("nobody", 100)
		d.want(60, "nobody*60")
		d.send("a", 2)
		d.want(42, "nobody*40 a*2")
	}},
	{"fewest-in-flight-first", "with only noisy tenants left the one with the fewest in flight goes first", func(d *fairDesk) {
		d.send("a", 50)
		d.want(40, "a*40")
		d.send("b", 50)
		d.want(44, "b*40 a*1 b*1 a*1 b*1") // b while it is quiet, and while it holds less; then in turn
	}},
	{"quiet-again", "a tenant that holds little again is served by age again", func(d *fairDesk) {
		d.send("a", 100)
		d.want(50, "a*50")
		d.send("b", 10)
		d.want(1, "b*1")
		d.delete("a", 40)
		d.want(12, "a*12")
	}},
	{"no-exclusivity", "several messages of a group are in flight at once, and come back in their place", func(d *fairDesk) {
		d.send("a", 3)
		d.want(2, "a*2")
		if err := d.q.ChangeVisibility(d.Context(), d.held["a"][0], 0); err != nil {
			d.Fatal(err)
		}
		d.send("b", 1)
		d.want(3, "a*2 b*1")
	}},
}

func TestFairness(t *testing.T) {
	for _, c := range fairCases {
		t.Run("Reference/16/"+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.test(&fairDesk{t, newQueue(t, queue.Config{}), make(map[string][]queue.Receipt)})
				if t.Failed() {
					t.Logf("rule broken: %s", c.rule)
				}
			})
		})
	}
}

// Many tenants, with timeouts, deletions and a purge: nothing is forgotten.
func TestManyTenantsBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fairDesk{t, newQueue(t, queue.Config{Limits: queue.Unlimited, VisibilityTimeout: time.Hour}), make(map[string][]queue.Receipt)}
		for i := range 2000 {
			d.send(fmt.Sprint("tenant", i%50), 1)
		}
		d.receive(1500)
		time.Sleep(time.Hour)
		for range 2000 {
			if got := d.receive(1); got == "-*1" {
				t.Fatal("a message is missing")
			}
		}
		if err := d.q.Check(); err != nil {
			t.Error(err)
		}
		if err := d.q.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.send("a", 1)
		d.want(2, "a*1 -*1")
	})
}
