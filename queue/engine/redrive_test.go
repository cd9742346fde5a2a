package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// A mover is a queue whose messages can be moved to others, and that can be
// dropped.
type mover interface {
	engine
	NextPosition() uint64
	Redrive(ctx context.Context, from, to uint64, limit int, route router) (next uint64, moved int, err error)
	Drop(meta ...queue.Meta) error
}

type router = func(source string) (queue.Adopter, error)

// to is a route of all messages to one queue.
func to(q queue.Adopter) router {
	return func(string) (queue.Adopter, error) { return q, nil }
}

// bySource is a route by the names of the queues where messages come from. Those
// that it doesn't name stay.
func bySource(targets map[string]queue.Adopter) router {
	return func(source string) (queue.Adopter, error) { return targets[source], nil }
}

// A place is where the queues of a test live.
type place struct {
	kind  queue.Kind
	name  string
	store *readStore // nil: in memory
	paged bool       // with a window of nothing and pages of two
}

// queue makes a queue there.
func (w *place) queue(t *testing.T, name string, cfg queue.Config) mover {
	t.Helper()
	if cfg.Name = name; w.kind == queue.FIFO {
		cfg.Name += ".fifo"
	}
	var st queue.Store
	if w.store != nil {
		st = w.store
	}
	q := newQueue(t, w.kind, st, cfg).(mover)
	if w.paged {
		squeeze(q)
	}
	return q
}

func squeeze(q engine) { q.(interface{ Squeeze(int64, int) }).Squeeze(0, 2) }

// everywhere runs f for queues of both kinds, in memory, over a store, and over one
// with pages that come and go. Each run has its own bubble.
func everywhere(t *testing.T, f func(t *testing.T, w *place)) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		for _, name := range []string{"memory", "store", "pages"} {
			t.Run(kind.String()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &place{kind: kind, name: name, paged: name == "pages"}
					if name != "memory" {
						w.store = newReadStore()
					}
					f(t, w)
				})
			})
		}
	}
}

// deadLetters gives q messages as those that source gave up, one by one.
func deadLetters(t *testing.T, q engine, source string, all ...string) {
	t.Helper()
	for _, body := range all {
		r := queue.Record{
			ID: queue.MessageID{15: 1, 0: byte(len(body))}, SentAt: time.Now().UnixMilli(), FirstReceivedAt: time.Now().UnixMilli(), Receives: 3,
			Message:          queue.Message{Body: body, TraceHeader: "trace of " + body},
			DeadLetterSource: source, DeadLetterReason: "broken",
		}
		copy(r.ID[1:15], body)
		if q.Kind() == queue.FIFO {
			r.GroupID = "g"
		}
		if err := q.Adopt(t.Context(), []queue.Record{r}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// sendGrouped is send, in a FIFO queue with a group for each message.
func sendGrouped(t *testing.T, q engine, all ...string) {
	t.Helper()
	for _, body := range all {
		if err := sendOne(t, q, body); err != nil {
			t.Fatal(err)
		}
	}
}

// redrive moves what there is now, limit messages at a time, and returns how many
// moved. Every step must go on or be the last.
func redrive(t *testing.T, q mover, limit int, route router) (moved int) {
	t.Helper()
	end := q.NextPosition()
	for from := uint64(0); from < end; {
		next, n, err := q.Redrive(t.Context(), from, end, limit, route)
		if err != nil {
			t.Fatalf("Redrive from %d: %v", from, err)
		}
		if n > limit {
			t.Fatalf("Redrive moved %d messages, the limit is %d", n, limit)
		}
		if next <= from {
			t.Fatalf("Redrive from %d goes on at %d", from, next)
		}
		check(t, q)
		from = next
		moved += n
	}
	return moved
}

// drain receives and deletes everything.
func drain(t *testing.T, q engine) (all []queue.Delivery) {
	t.Helper()
	for {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		remove(t, q, got)
		all = append(all, got...)
	}
}

// holds makes sure that a queue has these messages to give and no others, and
// takes them.
func holds(t *testing.T, q engine, want ...string) []queue.Delivery {
	t.Helper()
	got := drain(t, q)
	if !slices.Equal(bodies(got), want) {
		t.Fatalf("%q are in %s, want %q", bodies(got), q.Config().Name, want)
	}
	check(t, q)
	return got
}

// balanced makes sure that nothing is unaccounted for.
func balanced(t *testing.T, q engine) {
	t.Helper()
	check(t, q)
	s := stats(t, q)
	here := uint64(s.Pending + s.Delayed + s.Visible + s.InFlight + s.Unreadable)
	if came, left := s.Accepted+s.Adopted+s.Recovered, s.Deleted+s.Expired+s.Moved+s.Purged; came != here+left {
		t.Errorf("%d came, %d left, %d are here: %+v", came, left, here, s)
	}
}

// Messages move oldest first, and are new where they arrive: but for what their
// sender gave nothing is left of their past.
func TestRedrive(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		for limit := range 6 {
			dead := w.queue(t, fmt.Sprint("dead", limit), queue.Config{})
			main := w.queue(t, fmt.Sprint("main", limit), queue.Config{})
			all := numbered(23)
			deadLetters(t, dead, "orders", all...)
			before := map[string]queue.Peeked{}
			for p, err := range dead.Peek(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				before[p.Body] = p
			}
			time.Sleep(time.Hour)
			if n := redrive(t, dead, limit*limit+1, to(main)); n != 23 {
				t.Errorf("%d of 23 messages moved", n)
			}
			now := time.Now()
			if s := stats(t, dead); s.Moved != 23 || s.Visible+s.InFlight != 0 {
				t.Errorf("the source's Stats are %+v", s)
			}
			if s := stats(t, main); s.Adopted != 23 || s.Accepted != 0 || s.Visible != 23 {
				t.Errorf("the target's Stats are %+v", s)
			}
			ids := map[queue.MessageID]bool{}
			for _, d := range holds(t, main, all...) {
				was := before[d.Body]
				ids[was.ID], ids[d.ID] = true, true
				if d.ReceiveCount != 1 || !d.SentAt.Equal(now) || !d.FirstReceivedAt.Equal(now) || d.DeadLetterSource+d.DeadLetterReason != "" {
					t.Errorf("arrived as %+v", d)
				}
				if d.GroupID != was.GroupID || d.DeduplicationID != was.DeduplicationID || d.TraceHeader != "trace of "+d.Body {
					t.Errorf("arrived as %+v, was %+v", d, was)
				}
			}
			if len(ids) != 46 {
				t.Errorf("%d IDs, want a new one for each of 23 messages", len(ids))
			}
			holds(t, dead)
		}
	})
}

// What comes during a redrive is beyond its end.
func TestRedriveEndsThoughMessagesCome(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		send(t, dead, numbered(7)...)
		end, moved, steps := dead.NextPosition(), 0, 0
		var later []string
		for from := uint64(0); from < end; steps++ {
			if steps > 100 {
				t.Fatal("the redrive doesn't end")
			}
			next, n, err := dead.Redrive(t.Context(), from, end, 2, to(main))
			if err != nil {
				t.Fatal(err)
			}
			from, moved = next, moved+n
			later = append(later, fmt.Sprint("later", steps))
			send(t, dead, later[steps])
		}
		if moved != 7 {
			t.Errorf("%d of 7 messages moved", moved)
		}
		holds(t, main, numbered(7)...)
		holds(t, dead, later...)
	})
}

// A queue may be its own target: what it has goes to its end, once.
func TestRedriveToItself(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		q := w.queue(t, "main", queue.Config{})
		deadLetters(t, q, "orders", numbered(9)...)
		if n := redrive(t, q, 4, to(q)); n != 9 {
			t.Errorf("%d of 9 messages moved", n)
		}
		balanced(t, q)
		holds(t, q, numbered(9)...)
	})
}

// Messages in flight, delayed, pending, and those on their way elsewhere stay what
// they are.
func TestRedriveLeavesWhatIsNotVisible(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		gate := gates("moving")
		elsewhere := w.queue(t, "elsewhere", queue.Config{})
		main := w.queue(t, "main", queue.Config{})
		dead := w.queue(t, "dead", queue.Config{DeadLetter: queue.DeadLetter{Target: gated(elsewhere, gate), MaxReceives: 9}})
		sendGrouped(t, dead, "a", "held", "b", "moving", "c", "d")
		var ds []queue.Delivery
		for range 6 {
			got, err := dead.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: time.Hour})
			if err != nil || len(got) != 1 {
				t.Fatal(len(got), err)
			}
			ds = append(ds, got...)
		}
		for _, k := range []int{0, 2, 4, 5} {
			if err := dead.ChangeVisibility(t.Context(), ds[k].Receipt, 0); err != nil {
				t.Fatal(err)
			}
		}
		setAside := start(func() error { return dead.DeadLetter(t.Context(), ds[3].Receipt, "") })
		synctest.Wait()
		end := dead.NextPosition()
		if w.store != nil {
			w.store.Hold(queue.Durable)
		}
		sent := start(func() error {
			sendGrouped(t, dead, "pending")
			return nil
		})
		synctest.Wait()
		pending := dead.NextPosition()
		redriven := start(func() error {
			_, n, err := dead.Redrive(t.Context(), 0, pending, 100, to(main))
			if want := map[bool]int{true: 5, false: 4}[w.store == nil]; !w.paged && n != want {
				t.Errorf("%d messages moved, want %d", n, want)
			}
			return err
		})
		synctest.Wait()
		if w.store != nil {
			w.store.Release()
		}
		if err := errors.Join(answer(t, sent), answer(t, redriven)); err != nil {
			t.Fatal(err)
		}
		for from := uint64(0); from < end; {
			next, _, err := dead.Redrive(t.Context(), from, end, 100, to(main))
			if err != nil {
				t.Fatal(err)
			}
			from = next
		}
		close(gate["moving"])
		if err := answer(t, setAside); err != nil {
			t.Error(err)
		}
		if err := dead.Delete(t.Context(), ds[1].Receipt); err != nil { // its receiver still has it
			t.Error(err)
		}
		balanced(t, dead)
		holds(t, elsewhere, "moving")
		want := []string{"a", "b", "c", "d"}
		if w.store == nil {
			want = append(want, "pending")
		}
		holds(t, main, want...)
		if w.store != nil {
			holds(t, dead, "pending")
		}
	})
}

// A delayed message stays until its delay is over.
func TestRedriveLeavesDelayedMessages(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{Delay: time.Minute}), w.queue(t, "main", queue.Config{})
		send(t, dead, numbered(5)...)
		if n := redrive(t, dead, 10, to(main)); n != 0 {
			t.Errorf("%d delayed messages moved", n)
		}
		if s := stats(t, dead); s.Delayed != 5 {
			t.Errorf("Stats are %+v", s)
		}
		time.Sleep(time.Minute)
		if n := redrive(t, dead, 10, to(main)); n != 5 {
			t.Errorf("%d of 5 messages moved", n)
		}
		holds(t, main, numbered(5)...)
	})
}

// What has expired doesn't move, though nobody has come to remove it.
func TestRedriveLeavesExpiredMessages(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{Retention: time.Hour}), w.queue(t, "main", queue.Config{})
		send(t, dead, numbered(6)...)
		time.Sleep(10 * time.Minute)
		young := []string{"young0", "young1", "young2"}
		send(t, dead, young...)
		// In a bubble no timer fires before this goroutine rests.
		reconfigure(t, dead, func(cfg *queue.Config) { cfg.Retention = 5 * time.Minute })
		if n := redrive(t, dead, 100, to(main)); n != 3 {
			t.Errorf("%d messages moved, want 3", n)
		}
		if s := stats(t, dead); s.Expired != 6 {
			t.Errorf("%d messages expired, want 6", s.Expired)
		}
		holds(t, main, young...)
		balanced(t, dead)
	})
}

// A message that the route sends nowhere stays in its place.
func TestRedriveByRoute(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead := w.queue(t, "dead", queue.Config{})
		targets := map[string]queue.Adopter{}
		want := map[string][]string{}
		for _, name := range []string{"a", "b", "c"} {
			targets[name] = w.queue(t, name, queue.Config{})
		}
		for i, body := range numbered(24) {
			source := []string{"a", "b", "", "c", "stays"}[i%5]
			deadLetters(t, dead, source, body)
			want[source] = append(want[source], body)
		}
		stay := slices.Concat(want[""], want["stays"])
		slices.SortFunc(stay, func(a, b string) int { return len(a)*100 + strings.Compare(a, b) - len(b)*100 })
		if n := redrive(t, dead, 7, bySource(targets)); n != 24-len(stay) {
			t.Errorf("%d messages moved, want %d", n, 24-len(stay))
		}
		for name, q := range targets {
			holds(t, q.(engine), want[name]...)
		}
		for _, d := range holds(t, dead, stay...) {
			if d.ReceiveCount != 4 {
				t.Errorf("%s was received %d times, want 4", d.Body, d.ReceiveCount)
			}
		}
	})
}

// What comes before a message for which there is no route has moved; the message
// itself is where to go on.
func TestRedriveRouteFails(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		deadLetters(t, dead, "orders", numbered(3)...)
		deadLetters(t, dead, "unknown", "x")
		deadLetters(t, dead, "orders", "y")
		errRoute := errors.New("no such queue")
		route := func(source string) (queue.Adopter, error) {
			if source == "unknown" {
				return nil, errRoute
			}
			return main, nil
		}
		end, from, moved := dead.NextPosition(), uint64(0), 0
		for range 10 {
			next, n, err := dead.Redrive(t.Context(), from, end, 100, route)
			moved += n
			if err == nil {
				from = next
				continue
			}
			if !errors.Is(err, errRoute) || next >= end {
				t.Fatalf("Redrive = %d, %d, %v", next, n, err)
			}
			from = next
		}
		if moved != 3 {
			t.Errorf("%d messages moved, want 3", moved)
		}
		// From there it goes on.
		if next, n, err := dead.Redrive(t.Context(), from, end, 1, to(main)); err != nil || n != 1 || next <= from {
			t.Errorf("Redrive = %d, %d, %v", next, n, err)
		}
		balanced(t, dead)
		holds(t, main, "m0", "m1", "m2", "x")
		holds(t, dead, "y")
	})
}

// A flaky target fails as often as it is told to.
type flaky struct {
	queue.Adopter
	failures *int
	err      error
}

func (f *flaky) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	if *f.failures > 0 {
		*f.failures--
		return f.err
	}
	return f.Adopter.Adopt(ctx, ms, leaving)
}

// A target that fails leaves the messages where they were, to be received or moved
// again, and Redrive says from where on.
func TestRedriveTargetFails(t *testing.T) {
	errBusy := errors.New("busy")
	for _, c := range []struct {
		name string
		want error
		fail func(t *testing.T, w *place, main mover) (target queue.Adopter, repair func())
	}{
		{"refuses", errBusy, func(t *testing.T, w *place, main mover) (queue.Adopter, func()) {
			failures := math.MaxInt
			return &flaky{main, &failures, errBusy}, func() { failures = 0 }
		}},
		{"full", queue.ErrStoreFull, func(t *testing.T, w *place, main mover) (queue.Adopter, func()) {
			if w.store == nil {
				failures := math.MaxInt
				return &flaky{main, &failures, queue.ErrStoreFull}, func() { failures = 0 }
			}
			w.store.SetFull(true)
			return main, func() { w.store.SetFull(false) }
		}},
		{"closed", queue.ErrClosed, func(t *testing.T, w *place, main mover) (queue.Adopter, func()) {
			if err := main.Close(); err != nil {
				t.Fatal(err)
			}
			return main, nil
		}},
		{"deleted", queue.ErrQueueDeleted, func(t *testing.T, w *place, main mover) (queue.Adopter, func()) {
			if err := main.Drop(); err != nil {
				t.Fatal(err)
			}
			return main, nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *place) {
				dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
				other := w.queue(t, "other", queue.Config{})
				deadLetters(t, dead, "other", "o0")
				deadLetters(t, dead, "main", "m0", "m1")
				deadLetters(t, dead, "other", "o1")
				deadLetters(t, dead, "main", "m2")
				target, repair := c.fail(t, w, main)
				route := bySource(map[string]queue.Adopter{"main": target, "other": other})
				if c.name == "full" {
					route = bySource(map[string]queue.Adopter{"main": target})
				}
				end, from := dead.NextPosition(), uint64(0)
				var first uint64 // position of m0
				for p := range dead.Peek(t.Context()) {
					if p.Body == "m0" {
						first = p.Position
					}
				}
				for range 5 {
					next, n, err := dead.Redrive(t.Context(), from, end, 100, route)
					if next > first {
						t.Fatalf("Redrive(%d) = %d, %d, %v; m0 is at %d", from, next, n, err, first)
					}
					if err != nil && !errors.Is(err, c.want) {
						t.Fatalf("Redrive returned %v, want %v", err, c.want)
					}
					if err == nil && next == first && from == first {
						t.Fatal("no error")
					}
					balanced(t, dead)
					from = next
				}
				moved := stats(t, dead).Moved
				if s := stats(t, dead); s.Visible != 5-int(moved) || s.InFlight != 0 {
					t.Errorf("Stats are %+v", s)
				}
				arrived := bodies(drain(t, other))
				if len(arrived) != int(moved) || moved > 0 && arrived[0] != "o0" {
					t.Errorf("%q arrived, %d moved", arrived, moved)
				}
				left := slices.DeleteFunc([]string{"o0", "m0", "m1", "o1", "m2"}, func(s string) bool { return slices.Contains(arrived, s) })
				receive(t, dead, queue.ReceiveOptions{VisibilityTimeout: time.Second}, left...)
				time.Sleep(time.Second)
				if repair == nil {
					for _, d := range holds(t, dead, left...) {
						if d.ReceiveCount != 5 {
							t.Errorf("received %d times, want 5", d.ReceiveCount)
						}
					}
					return
				}
				repair()
				redrive(t, dead, 100, route)
				holds(t, main, "m0", "m1", "m2")
				balanced(t, dead)
			})
		})
	}
}

// A target whose store fails may have the messages or not. Here they stay if the
// store is another one; if it is the same, nothing is handed out any more.
func TestRedriveTargetUncertain(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		for _, shared := range []bool{false, true} {
			for _, paged := range []bool{false, true} {
				w := &place{kind: kind, store: newReadStore(), paged: paged}
				elsewhere := w
				if !shared {
					elsewhere = &place{kind: kind, store: newReadStore(), paged: paged}
				}
				q, err := open(t.Context(), kind, w.store, queue.Config{Name: "dead.fifo", Limits: queue.Unlimited})
				if err != nil {
					t.Fatal(err)
				}
				main, err := open(t.Context(), kind, elsewhere.store, queue.Config{Name: "main.fifo", Limits: queue.Unlimited})
				if err != nil {
					t.Fatal(err)
				}
				if paged {
					squeeze(q)
					squeeze(main)
				}
				dead := q.(mover)
				send(t, dead, numbered(9)...)
				elsewhere.store.Fail()
				next, moved, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 4, to(main))
				if !errors.Is(err, queue.ErrUncertain) || moved != 0 || next != 1 {
					t.Errorf("Redrive = %d, %d, %v", next, moved, err)
				}
				balanced(t, dead)
				balanced(t, main)
				for range 3 { // pages come and go
					if _, _, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 4, bySource(nil)); shared != errors.Is(err, queue.ErrStoreFailed) {
						t.Errorf("in one store: %t, and then Redrive returns %v", shared, err)
					}
					balanced(t, dead)
				}
				got, err := dead.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
				switch {
				case !shared && (err != nil || !slices.Equal(bodies(got), numbered(9))):
					t.Errorf("Receive = %q, %v", bodies(got), err)
				case shared && (!errors.Is(err, queue.ErrStoreFailed) || len(got) > 0):
					t.Errorf("Receive = %q, %v", bodies(got), err)
				}
				balanced(t, dead)
				for _, q := range []engine{dead, main} {
					if err := q.Close(); err != nil && !errors.Is(err, queue.ErrStoreFailed) {
						t.Error(err)
					}
				}
			}
		}
	})
}

// Who waits gets what a target didn't take at once, and not when all others have
// taken theirs.
func TestRedriveServesBetweenTargets(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		if w.paged {
			t.Skip("one page has one message at a time to move")
		}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		// Each body in a group of its own, and without a source that differs the
		// route tells them apart by their order.
		sendGrouped(t, dead, "x", "y")
		failures := 1
		gate := gates("y")
		targets := []queue.Adopter{&flaky{main, &failures, errDisk}, gated(main, gate)}
		redriven := start(func() error {
			_, n, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 10, func(string) (queue.Adopter, error) {
				target := targets[0]
				targets = targets[1:]
				return target, nil
			})
			if n != 1 || !errors.Is(err, errDisk) {
				t.Errorf("Redrive = %d, %v", n, err)
			}
			return nil
		})
		synctest.Wait()
		began := time.Now()
		receive(t, dead, queue.ReceiveOptions{Wait: 20 * time.Second}, "x")
		if waited := time.Since(began); waited > 0 {
			t.Errorf("x came after %v", waited)
		}
		close(gate["y"])
		if err := answer(t, redriven); err != nil {
			t.Error(err)
		}
	})
}

// So does who began to wait during the moves.
func TestRedriveServesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		sendGrouped(t, dead, "x", "y")
		gate := gates("x", "y")
		refuses := target{main, func(string) error { <-gate["x"]; return errDisk }}
		targets := []queue.Adopter{refuses, gated(main, gate)}
		redriven := start(func() error {
			_, _, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 10, func(string) (queue.Adopter, error) {
				target := targets[0]
				targets = targets[1:]
				return target, nil
			})
			return err
		})
		synctest.Wait()
		received := start(func() error {
			receive(t, dead, queue.ReceiveOptions{Wait: 20 * time.Second}, "x")
			return nil
		})
		if !running(received) {
			t.Fatal("x is on its way, and Receive has returned")
		}
		close(gate["x"])
		if err := answer(t, received); err != nil {
			t.Error(err)
		}
		close(gate["y"])
		if err := answer(t, redriven); !errors.Is(err, errDisk) {
			t.Error(err)
		}
		holds(t, main, "y")
	})
}

// While messages move a purge, a Close and a Drop of the source may come. What has
// arrived has arrived.
func TestRedriveDuringOtherCalls(t *testing.T) {
	for _, call := range []string{"purge", "close", "drop", "purge target", "drop target", "close target"} {
		t.Run(call, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *place) {
				dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
				all := numbered(7)
				send(t, dead, all...)
				gate := gates("m2")
				close(gates("m2")["m2"])
				moved := 0
				slow := target{main, func(body string) error {
					if body == "m2" {
						<-gate["m2"]
					}
					return nil
				}}
				end := dead.NextPosition()
				redriven := start(func() error {
					for from := uint64(0); from < end; {
						next, n, err := dead.Redrive(t.Context(), from, end, 2, to(slow))
						moved += n
						if err != nil {
							return err
						}
						from = next
					}
					return nil
				})
				synctest.Wait()
				waits := map[string]bool{"close": true, "drop": true}[call]
				called := start(func() error {
					switch call {
					case "purge":
						return dead.Purge(t.Context())
					case "close":
						return dead.Close()
					case "drop":
						return dead.Drop()
					case "purge target":
						return main.Purge(t.Context())
					case "drop target":
						return main.Drop()
					}
					return main.Close()
				})
				if running(called) != waits {
					t.Errorf("the call has returned: %t, want %t", !running(called), !waits)
				}
				close(gate["m2"])
				err := answer(t, redriven)
				want := map[string]error{
					"close": queue.ErrClosed, "drop": queue.ErrQueueDeleted,
					"drop target": queue.ErrQueueDeleted, "close target": queue.ErrClosed,
				}[call]
				if !errors.Is(err, want) {
					t.Errorf("Redrive returned %v, want %v", err, want)
				}
				if err := answer(t, called); err != nil {
					t.Error(err)
				}
				there := func(q engine) []string { return bodies(drain(t, q)) }
				switch call {
				case "purge":
					// What was moving arrived; all the rest is purged.
					got := there(main)
					if len(got) < 2 || len(got) > 4 || !slices.Equal(got, all[:len(got)]) {
						t.Errorf("%q arrived", got)
					}
					holds(t, dead)
					if s := stats(t, dead); int(s.Purged+s.Moved) != 7 || s.Purged < 3 {
						t.Errorf("Stats are %+v", s)
					}
				case "close", "drop":
					got := there(main)
					if len(got) != moved || len(got) < 3 || !slices.Equal(got, all[:len(got)]) {
						t.Errorf("%q arrived, %d moved", got, moved)
					}
				case "purge target":
					if moved != 7 {
						t.Errorf("%d moved", moved)
					}
					holds(t, main, all[2:]...)
				default:
					holds(t, dead, all[moved:]...)
					if moved != 2 {
						t.Errorf("%d moved", moved)
					}
				}
			})
		})
	}
}

// While some receive and others redrive, each message goes to one of them.
func TestRedriveAmongReceivers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		if w.store != nil {
			w.store.SetLatency(time.Millisecond)
		}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		const n = 200
		sendGrouped(t, dead, numbered(n)...)
		var mu sync.Mutex
		times := map[string]int{}
		var calls []<-chan error
		for k := range 4 {
			q, pause := []engine{dead, main}[k%2], time.Duration(k+1)*time.Millisecond
			calls = append(calls, start(func() error {
				for {
					got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 3, Wait: time.Second})
					if err != nil || len(got) == 0 {
						return err
					}
					for i := range got {
						if err := q.Delete(t.Context(), got[i].Receipt); err != nil {
							return err
						}
						mu.Lock()
						times[got[i].Body]++
						mu.Unlock()
					}
					time.Sleep(pause)
				}
			}))
		}
		failures := 0
		for k := range 3 {
			target := &flaky{main, &failures, errDisk}
			calls = append(calls, start(func() error {
				end := dead.NextPosition()
				for from := uint64(0); from < end; {
					next, _, err := dead.Redrive(t.Context(), from, end, 1+k, to(target))
					if err != nil && !errors.Is(err, errDisk) {
						return err
					}
					from = next
					time.Sleep(time.Millisecond)
				}
				return nil
			}))
		}
		time.Sleep(5 * time.Millisecond)
		for _, c := range calls {
			if err := <-c; err != nil {
				t.Error(err)
			}
		}
		if len(times) != n {
			t.Errorf("%d of %d messages came", len(times), n)
		}
		for body, k := range times {
			if k != 1 {
				t.Errorf("%s came %d times", body, k)
			}
		}
		balanced(t, dead)
		balanced(t, main)
		if stats(t, dead).Moved == 0 {
			t.Error("nothing moved")
		}
	})
}

// Within one store gain and loss are one: wherever the machine stops, each message
// is there once.
func TestRedriveCrash(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		for point := 0; ; point++ {
			st := queuetest.NewMemStore()
			cfg := func(name string) queue.Config { return queue.Config{Name: name + ".fifo", Limits: queue.Unlimited} }
			at := func(name string) mover {
				q, err := open(t.Context(), kind, st, cfg(name))
				if err != nil {
					t.Fatal(err)
				}
				return q.(mover)
			}
			dead, targets := at("dead"), []mover{at("a"), at("b"), at("c")}
			send(t, dead, numbered(9)...)
			st.Hold(queue.Durable)
			var calls []<-chan error
			for k, q := range targets {
				from := uint64(1 + 3*k)
				calls = append(calls, start(func() error {
					_, _, err := dead.Redrive(t.Context(), from, from+3, 10, to(q))
					return err
				}))
				synctest.Wait()
			}
			pending := st.Pending()
			if pending != 3 {
				t.Fatalf("%d batches, want one for each move", pending)
			}
			crashed := st
			st = st.CrashKeeping(point)
			for _, c := range calls {
				if err := answer(t, c); !errors.Is(err, queue.ErrUncertain) {
					t.Errorf("Redrive returned %v", err)
				}
			}
			for _, q := range append(targets, dead) {
				_ = q.Close() // the store has failed
			}
			if _, err := crashed.Append(&queue.Batch{}); err == nil {
				t.Error("the store lives")
			}
			var found []string
			for k, name := range []string{"a", "b", "c", "dead"} {
				q := at(name)
				got := bodies(drain(t, q))
				if k < 3 && (k < point) != (len(got) == 3) {
					t.Errorf("after %d batches %q has %q", point, name, got)
				}
				found = append(found, got...)
				if err := q.Close(); err != nil {
					t.Error(err)
				}
			}
			if slices.Sort(found); !slices.Equal(found, numbered(9)) {
				t.Errorf("after %d batches there are %q", point, found)
			}
			if point == pending {
				return
			}
		}
	})
}

// Between two stores the gain comes first: after a crash there may be two copies,
// never none.
func TestRedriveCrashBetweenStores(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		for _, gained := range []bool{false, true} {
			from, into := queuetest.NewMemStore(), queuetest.NewMemStore()
			cfg := queue.Config{Name: "q.fifo", Limits: queue.Unlimited}
			at := func(st queue.Store) mover {
				q, err := open(t.Context(), kind, st, cfg)
				if err != nil {
					t.Fatal(err)
				}
				return q.(mover)
			}
			dead, main := at(from), at(into)
			send(t, dead, "x")
			into.Hold(queue.Durable)
			moved := start(func() error {
				_, _, err := dead.Redrive(t.Context(), 0, 100, 10, to(main))
				return err
			})
			if !running(moved) {
				t.Error("Redrive returned before the gain was durable")
			}
			if from.Pending() != 0 {
				t.Error("the loss was written before the gain was durable")
			}
			if gained {
				into.Release()
				if err := answer(t, moved); err != nil {
					t.Error(err)
				}
			}
			from, into = from.Crash(queue.Durable), into.Crash(queue.Durable)
			synctest.Wait()
			_, _ = dead.Close(), main.Close() // their stores have failed
			dead, main = at(from), at(into)
			n := len(drain(t, main))
			if lost := n + len(drain(t, dead)); lost == 0 || n != map[bool]int{true: 1, false: 0}[gained] {
				t.Errorf("%d copies are left, %d of them arrived", lost, n)
			}
			if err := errors.Join(dead.Close(), main.Close()); err != nil {
				t.Error(err)
			}
		}
	})
}

// A FIFO queue's groups keep their order, also where messages come in turns from
// pages that are cold.
func TestRedriveKeepsGroupOrder(t *testing.T) {
	for _, paged := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := &place{kind: queue.FIFO, store: newReadStore(), paged: paged}
			dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
			want := map[string][]string{}
			dedups := map[string]string{}
			for i := range 60 {
				m := queue.Message{GroupID: fmt.Sprint("g", i*i%7), Body: fmt.Sprint(i), DeduplicationID: fmt.Sprint("d", i)}
				if _, err := dead.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				want[m.GroupID] = append(want[m.GroupID], m.Body)
				dedups[m.Body] = m.DeduplicationID
			}
			// Somebody has received some of them, and the oldest pages are warm.
			got, err := dead.Receive(t.Context(), queue.ReceiveOptions{Max: 5, VisibilityTimeout: time.Second})
			if err != nil || len(got) != 5 {
				t.Fatal(len(got), err)
			}
			time.Sleep(time.Second)
			if n := redrive(t, dead, 9, to(main)); n != 60 {
				t.Errorf("%d of 60 messages moved", n)
			}
			arrived := map[string][]string{}
			for _, d := range drain(t, main) {
				arrived[d.GroupID] = append(arrived[d.GroupID], d.Body)
				if d.DeduplicationID != dedups[d.Body] {
					t.Errorf("%s has the deduplication ID %q", d.Body, d.DeduplicationID)
				}
			}
			for group, all := range want {
				if !slices.Equal(arrived[group], all) {
					t.Errorf("%s arrived as %q, want %q", group, arrived[group], all)
				}
			}
			holds(t, dead)
		})
	}
}

// Messages of pages that are cold, because older ones are, move without the Order's
// hearing of it. If they come back they are behind the older ones of their group.
func TestRedriveOfColdPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		var qs []mover
		for _, name := range []string{"dead.fifo", "main.fifo"} { // not newQueue: a panic would leave a lock held
			q, err := open(t.Context(), queue.FIFO, st, queue.Config{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			squeeze(q)
			qs = append(qs, q.(mover))
		}
		dead, main := qs[0], qs[1]
		send(t, dead, numbered(20)...)
		from, end := uint64(0), uint64(0) // of m10 to m15
		for p, err := range dead.Peek(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if p.Body == "m10" {
				from = p.Position
			}
			if p.Body == "m16" {
				end = p.Position
			}
		}
		failures := 2
		for at := from; at < end; {
			next, _, err := dead.Redrive(t.Context(), at, end, 3, to(&flaky{main, &failures, errDisk}))
			if err != nil && !errors.Is(err, errDisk) || next < at {
				t.Fatal(next, err)
			}
			balanced(t, dead)
			at = next
		}
		holds(t, main, numbered(20)[10:16]...)
		send(t, dead, "last")
		holds(t, dead, slices.Concat(numbered(10), []string{"m16", "m17", "m18", "m19", "last"})...)
		for _, q := range qs {
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Deduplication at the target neither hinders a move nor notes it.
func TestRedriveAndDeduplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.FIFO, store: newReadStore()}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		send(t, dead, "x", "y")
		send(t, main, "x")
		if n := redrive(t, dead, 10, to(main)); n != 2 {
			t.Errorf("%d of 2 messages moved", n)
		}
		send(t, main, "x", "y") // x was sent here, and y was not
		holds(t, main, "x", "x", "y", "y")
	})
}

// A move is a sending where it ends: the delay of that queue applies, also when it
// is opened again meanwhile.
func TestRedriveWaitsForTheTargetsDelay(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		for _, reopens := range []bool{false, true} {
			if reopens && w.store == nil {
				continue
			}
			dead, main := w.queue(t, fmt.Sprint("dead", reopens), queue.Config{}), w.queue(t, fmt.Sprint("main", reopens), queue.Config{Delay: 10 * time.Minute})
			deadLetters(t, dead, "orders", numbered(5)...)
			time.Sleep(time.Hour)
			redrive(t, dead, 3, to(main))
			if s := stats(t, main); s.Delayed != 5 || s.Visible != 0 {
				t.Errorf("the target's Stats are %+v", s)
			}
			time.Sleep(5 * time.Minute)
			if reopens {
				cfg := main.Config()
				if err := main.Close(); err != nil {
					t.Fatal(err)
				}
				main = newQueue(t, w.kind, w.store, cfg).(mover)
				if w.paged {
					squeeze(main)
				}
				if s := stats(t, main); s.Delayed != 5 || s.Visible != 0 {
					t.Errorf("after opening again the Stats are %+v", s)
				}
			}
			time.Sleep(5*time.Minute - time.Millisecond)
			receive(t, main, queue.ReceiveOptions{})
			time.Sleep(time.Millisecond)
			holds(t, main, numbered(5)...)
		}
	})
}

// What can't be read stays, and holds up nothing.
func TestRedrivePastDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard, store: newReadStore(), paged: true}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		send(t, dead, numbered(12)...)
		w.store.damage("m1", "m4", "m6", "m7")
		if n := redrive(t, dead, 5, to(main)); n != 8 {
			t.Errorf("%d messages moved, want 8", n)
		}
		if s := stats(t, dead); s.Unreadable != 4 || s.Visible != 0 {
			t.Errorf("Stats are %+v", s)
		}
		holds(t, main, "m0", "m2", "m3", "m5", "m8", "m9", "m10", "m11")
	})
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.FIFO, store: newReadStore(), paged: true}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		sendGrouped(t, dead, numbered(12)...)
		w.store.damage("m4", "m7")
		redrive(t, dead, 5, to(main))
		got := bodies(drain(t, main))
		for _, body := range []string{"m0", "m1", "m2", "m3", "m8", "m9", "m10", "m11"} {
			if !slices.Contains(got, body) {
				t.Errorf("%s has not arrived", body)
			}
		}
		balanced(t, dead)
		if n := stats(t, dead).Visible; n != 12-len(got) || slices.Contains(got, "m4") || slices.Contains(got, "m7") {
			t.Errorf("%q arrived, %d stayed", got, n)
		}
		clear(w.store.damaged)
		if n := redrive(t, dead, 5, to(main)); n != 12-len(got) {
			t.Errorf("%d messages moved after the repair", n)
		}
		holds(t, dead)
	})
}

// So it is where the slots of a page are in memory because of a message in flight,
// and what the others carry is not.
func TestRedrivePastDamagedContents(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore()}
		dead, main := w.queue(t, "dead", queue.Config{Limits: queue.Unlimited}), w.queue(t, "main", queue.Config{})
		squeeze(dead)
		var ms []queue.Message
		for i := range 5 {
			ms = append(ms, queue.Message{Body: fmt.Sprint("m", i)})
			if kind == queue.FIFO {
				ms[i].GroupID, ms[i].DeduplicationID = fmt.Sprint("g", i), fmt.Sprint(i)
			}
		}
		if _, err := dead.SendBatch(t.Context(), ms); err != nil {
			t.Fatal(err)
		}
		ds := receive(t, dead, queue.ReceiveOptions{VisibilityTimeout: time.Hour}, numbered(5)...)
		sendGrouped(t, dead, "y0", "y1", "y2", "y3")
		got, err := dead.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: queue.None}) // and the contents of the first page go
		if err != nil || !slices.Equal(bodies(got), []string{"y0"}) {
			t.Fatal(bodies(got), err)
		}
		for _, k := range []int{0, 1, 3, 4} {
			if err := dead.ChangeVisibility(t.Context(), ds[k].Receipt, 0); err != nil {
				t.Fatal(err)
			}
		}
		w.store.damage("m1", "m2", "m3")
		if n := redrive(t, dead, 100, to(main)); n != 6 {
			t.Errorf("%d messages moved, want 6", n)
		}
		holds(t, main, "m0", "m4", "y0", "y1", "y2", "y3")
		balanced(t, dead)
	})
}

// Wherever the queue has its next message, a redrive comes to it.
func TestRedriveAcrossGaps(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{Limits: queue.Unlimited, VisibilityTimeout: time.Hour}), w.queue(t, "main", queue.Config{})
		n := 30 * queue.PageSize
		if w.paged {
			n = 200
		}
		batch := make([]queue.Message, n)
		for i := range batch {
			batch[i] = queue.Message{Body: fmt.Sprint("m", i)}
			if w.kind == queue.FIFO {
				batch[i].GroupID, batch[i].DeduplicationID = fmt.Sprint("g", i), fmt.Sprint(i)
			}
		}
		for part := range slices.Chunk(batch, 2) {
			if _, err := dead.SendBatch(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		left := []string{"m3", fmt.Sprint("m", n/2), fmt.Sprint("m", n/2+1), fmt.Sprint("m", n-3)}
		var keep []queue.Delivery
		for {
			got, err := dead.Receive(t.Context(), queue.ReceiveOptions{Max: 100})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			for _, d := range got {
				if slices.Contains(left, d.Body) {
					keep = append(keep, d)
				} else if err := dead.Delete(t.Context(), d.Receipt); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, d := range keep {
			if err := dead.ChangeVisibility(t.Context(), d.Receipt, 0); err != nil {
				t.Fatal(err)
			}
		}
		if n := redrive(t, dead, 1, to(main)); n != 4 {
			t.Errorf("%d of 4 messages moved", n)
		}
		holds(t, main, left...)
		if next, n, err := dead.Redrive(t.Context(), 0, math.MaxUint64, 1, to(main)); next != math.MaxUint64 || n != 0 || err != nil {
			t.Errorf("of an empty queue Redrive = %d, %d, %v", next, n, err)
		}
	})
}

// One step looks at a bounded number of pages.
func TestRedriveStepsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard, store: newReadStore(), paged: true}
		dead := w.queue(t, "dead", queue.Config{})
		send(t, dead, numbered(100)...)
		asked, steps := 0, 0
		end := dead.NextPosition()
		for from := uint64(0); from < end; steps++ {
			before := w.store.loads
			next, n, err := dead.Redrive(t.Context(), from, end, 10, func(string) (queue.Adopter, error) {
				asked++
				return nil, nil
			})
			if n != 0 || err != nil || next <= from {
				t.Fatalf("Redrive(%d) = %d, %d, %v", from, next, n, err)
			}
			if loads := w.store.loads - before; loads > 20 {
				t.Errorf("one step made %d loads", loads)
			}
			from = next
		}
		if asked != 100 || steps < 3 || steps > 10 {
			t.Errorf("the route was asked for %d of 100 messages in %d steps", asked, steps)
		}
		receive(t, dead, queue.ReceiveOptions{}, numbered(10)...)
	})
}

// Nothing is there to do between positions of which the second is no later.
func TestRedriveOfNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		if at := dead.NextPosition(); at != 1 {
			t.Errorf("an empty queue's next position is %d", at)
		}
		redrive(t, dead, 10, to(main))
		send(t, dead, numbered(5)...)
		for _, r := range [][2]uint64{{0, 0}, {0, 1}, {3, 3}, {3, 2}, {5000, 4}, {math.MaxUint64, 1}, {math.MaxUint64, math.MaxUint64}} {
			if next, n, err := dead.Redrive(t.Context(), r[0], r[1], 10, to(main)); next < r[1] || n != 0 || err != nil {
				t.Errorf("Redrive%v = %d, %d, %v", r, next, n, err)
			}
		}
		holds(t, dead, numbered(5)...)
	})
}

// Each step of a message is told: here it moved, there it was taken over.
func TestRedriveTrace(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		trace := func(into *[]string) *queue.Trace {
			ids := map[queue.MessageID]int{}
			return &queue.Trace{Message: func(e queue.Event) {
				if _, ok := ids[e.ID]; !ok {
					ids[e.ID] = len(ids)
				}
				if e.Step == queue.StepMoved || e.Step == queue.StepAdopted || e.Step == queue.StepDeadLettered || e.Step == queue.StepReleased {
					*into = append(*into, fmt.Sprint(ids[e.ID], " ", e.Step))
				}
			}}
		}
		var source, target []string
		dead, main := w.queue(t, "dead", queue.Config{Trace: trace(&source)}), w.queue(t, "main", queue.Config{Trace: trace(&target)})
		send(t, dead, numbered(3)...)
		failures := 1
		if _, _, err := dead.Redrive(t.Context(), 0, 1000, 1, to(&flaky{main, &failures, errDisk})); !errors.Is(err, errDisk) {
			t.Errorf("Redrive returned %v", err)
		}
		redrive(t, dead, 2, to(main))
		synctest.Wait()
		if want := []string{"0 released", "0 moved", "1 moved", "2 moved"}; !slices.Equal(source, want) {
			t.Errorf("the source tells %q, want %q", source, want)
		}
		if want := []string{"0 adopted", "1 adopted", "2 adopted"}; !slices.Equal(target, want) {
			t.Errorf("the target tells %q, want %q", target, want)
		}
	})
}

// A Trace that asks for a message on its way doesn't wait for its own caller.
func TestRedriveTraceDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard}
		var dead mover
		var held queue.Delivery
		main := w.queue(t, "main", queue.Config{})
		dead = w.queue(t, "dead", queue.Config{Trace: &queue.Trace{Message: func(e queue.Event) {
			if e.Step == queue.StepMoved || e.Step == queue.StepTimedOut && held.Body != "" {
				if err := dead.Delete(t.Context(), held.Receipt); err != nil {
					t.Errorf("delete in a Trace: %v", err)
				}
			}
		}}})
		send(t, dead, "x")
		held = receive(t, dead, queue.ReceiveOptions{VisibilityTimeout: queue.None}, "x")[0]
		send(t, dead, "y")
		redriven := start(func() error {
			_, n, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 10, to(main))
			if n != 2 {
				t.Errorf("%d messages moved", n)
			}
			return err
		})
		if err := answer(t, redriven); err != nil {
			t.Error(err)
		}
		holds(t, main, "x", "y")
	})
}

// A context that has ended moves nothing; one that ends while a page is read ends
// the call, and nothing has moved.
func TestRedriveContext(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		send(t, dead, numbered(8)...)
		before := stats(t, dead)
		ctx, cancel := context.WithCancel(t.Context())
		if !w.paged {
			cancel()
		} else {
			release := w.store.hold()
			defer release()
		}
		var calls []<-chan error
		for range 2 { // one loads, one waits for it
			calls = append(calls, start(func() error {
				next, n, err := dead.Redrive(ctx, 1, 5000, 10, to(main))
				if next != 1 || n != 0 {
					t.Errorf("Redrive = %d, %d, %v", next, n, err)
				}
				return err
			}))
			synctest.Wait()
		}
		cancel()
		for _, c := range calls {
			if err := answer(t, c); !errors.Is(err, context.Canceled) {
				t.Errorf("Redrive returned %v", err)
			}
		}
		if after := stats(t, dead); after != before {
			t.Errorf("Stats are %+v, before they were %+v", after, before)
		}
		holds(t, main)
	})
}

// A page that can't be read now ends the call with the store's error; it goes on
// when the store does.
func TestRedriveWhenAPageCannotBeRead(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore(), paged: true}
		dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
		send(t, dead, numbered(8)...)
		w.store.fail(errDisk)
		if next, n, err := dead.Redrive(t.Context(), 0, 5000, 10, to(main)); next > 1 || n != 0 || !errors.Is(err, errDisk) {
			t.Errorf("Redrive = %d, %d, %v", next, n, err)
		}
		balanced(t, dead)
		w.store.fail(nil)
		redrive(t, dead, 10, to(main))
		holds(t, main, numbered(8)...)
	})
}

// Close and Drop during a load are told to who waits for it.
func TestRedriveEndsDuringALoad(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		for k, want := range []error{queue.ErrClosed, queue.ErrQueueDeleted, nil} {
			w := &place{kind: kind, store: newReadStore(), paged: true}
			dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
			send(t, dead, numbered(8)...)
			release := w.store.hold()
			moved := -1
			redriven := start(func() (err error) {
				_, moved, err = dead.Redrive(t.Context(), 0, 5000, 10, to(main))
				return err
			})
			synctest.Wait()
			ended := start(func() error {
				switch k {
				case 0:
					return dead.Close()
				case 1:
					return dead.Drop()
				}
				return dead.Purge(t.Context())
			})
			synctest.Wait()
			release()
			if err := answer(t, redriven); !errors.Is(err, want) || moved != 0 {
				t.Errorf("Redrive = %d, %v; want %v", moved, err, want)
			}
			if err := answer(t, ended); err != nil {
				t.Error(err)
			}
			holds(t, main)
		}
	})
}

// A closed queue moves nothing, nor one whose store has failed.
func TestRedriveRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		main := w.queue(t, "main", queue.Config{})
		for k, want := range []error{queue.ErrClosed, queue.ErrQueueDeleted} {
			dead := w.queue(t, fmt.Sprint("dead", k), queue.Config{})
			send(t, dead, "x")
			if err := []func() error{dead.Close, func() error { return dead.Drop() }}[k](); err != nil {
				t.Fatal(err)
			}
			if next, n, err := dead.Redrive(t.Context(), 1, 5, 10, to(main)); next != 1 || n != 0 || !errors.Is(err, want) {
				t.Errorf("Redrive = %d, %d, %v; want %v", next, n, err, want)
			}
		}
		holds(t, main)
	})
}

// Tenants of a Standard queue move like others, and what stays of them is in order.
func TestRedriveOfTenants(t *testing.T) {
	for _, paged := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := &place{kind: queue.Standard, store: newReadStore(), paged: paged}
			dead, main := w.queue(t, "dead", queue.Config{}), w.queue(t, "main", queue.Config{})
			for i, body := range numbered(30) {
				if _, err := dead.Send(t.Context(), queue.Message{Body: body, GroupID: fmt.Sprint("tenant", i%3)}); err != nil {
					t.Fatal(err)
				}
			}
			held, err := dead.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Minute})
			if err != nil || len(held) != 10 {
				t.Fatal(len(held), err)
			}
			stay := bodies(held)
			failures := 3
			end := dead.NextPosition()
			for from := uint64(0); from < end; {
				next, _, err := dead.Redrive(t.Context(), from, end, 4, to(&flaky{main, &failures, errDisk}))
				if err != nil && !errors.Is(err, errDisk) {
					t.Fatal(err)
				}
				check(t, dead)
				from = next
			}
			time.Sleep(time.Minute)
			arrived := bodies(drain(t, main))
			left := bodies(drain(t, dead))
			if slices.Sort(left); !slices.Equal(left, slices.Sorted(slices.Values(stay))) {
				t.Errorf("%q are left, want %q", left, stay)
			}
			all := slices.Concat(arrived, left)
			if slices.Sort(all); !slices.Equal(all, slices.Sorted(slices.Values(numbered(30)))) {
				t.Errorf("%q arrived, %q are left", arrived, left)
			}
			balanced(t, dead)
		})
	}
}

// Large messages move a few at a time, and stay what they are.
func TestRedriveOfLargeMessages(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore(), paged: true}
		dead, main := w.queue(t, "dead", queue.Config{Limits: queue.Unlimited}), w.queue(t, "main", queue.Config{})
		var ms []queue.Message
		for i := range 40 {
			m := queue.Message{Body: strings.Repeat(string(rune('a'+i%26)), 100<<10)}
			if kind == queue.FIFO {
				m.GroupID, m.DeduplicationID = "g", fmt.Sprint(i)
			}
			ms = append(ms, m)
		}
		if _, err := dead.SendBatch(t.Context(), ms); err != nil {
			t.Fatal(err)
		}
		send(t, dead, "tail")
		if n := redrive(t, dead, 100, to(main)); n != 41 {
			t.Errorf("%d of 41 messages moved", n)
		}
		for i, d := range drain(t, main)[:40] {
			if d.Body != ms[i].Body {
				t.Errorf("message %d begins with %.10q", i, d.Body)
			}
		}
	})
}

// Whatever is done beside redrives, each message is in one place, and its group's
// order holds.
func TestRandomRedrives(t *testing.T) {
	seeds := uint64(24)
	if testing.Short() {
		seeds = 12
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { randomRedrives(t, seed) })
	}
}

func randomRedrives(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	w := &place{kind: []queue.Kind{queue.Standard, queue.FIFO}[seed%2]}
	if seed%6 >= 2 {
		w.store, w.paged = newReadStore(), seed%6 >= 4
	}
	failures := 0
	cfg := queue.Config{Limits: queue.Unlimited, VisibilityTimeout: 3 * time.Second}
	main, spare := w.queue(t, "main", cfg), w.queue(t, "spare", cfg)
	cfg.DeadLetter = queue.DeadLetter{Target: main, MaxReceives: 4}
	queues := []mover{w.queue(t, "dead", cfg), main, spare}
	alive, sent := map[string]bool{}, 0
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	targets := []queue.Adopter{
		main, spare, nil, &flaky{main, &failures, errDisk}, &flaky{spare, &failures, errDisk},
		target{main, func(string) error { return nil }},
	}
	for range 150 {
		q := queues[random.IntN(3)]
		switch random.IntN(10) {
		case 0, 1, 2:
			var ms []queue.Message
			for range 1 + random.IntN(12) {
				m := queue.Message{Body: fmt.Sprint("m", sent)}
				sent++
				if w.kind == queue.FIFO || random.IntN(3) == 0 {
					m.GroupID = fmt.Sprint("g", random.IntN(5))
				}
				if w.kind == queue.FIFO {
					m.DeduplicationID = m.Body
				} else if random.IntN(5) == 0 {
					m.Delay = time.Duration(1+random.IntN(3)) * time.Second
				}
				alive[m.Body] = true
				ms = append(ms, m)
			}
			_, err := q.SendBatch(t.Context(), ms)
			fatal(err)
		case 3, 4:
			got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1 + random.IntN(9), Wait: queue.None})
			fatal(err)
			for i := range got {
				if !alive[got[i].Body] {
					t.Fatalf("seed %d: %s was deleted and came back", seed, got[i].Body)
				}
				if random.IntN(2) == 0 {
					fatal(q.Delete(t.Context(), got[i].Receipt))
					delete(alive, got[i].Body)
				}
			}
		case 5:
			time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			switch random.IntN(6) {
			case 0:
				for p, err := range q.Peek(t.Context()) {
					fatal(err)
					delete(alive, p.Body)
				}
				fatal(q.Purge(t.Context()))
			case 1:
				if w.store != nil {
					fatal(queues[0].Close())
					queues[0] = w.queue(t, "dead", cfg)
				}
			case 2:
				reconfigure(t, q, func(cfg *queue.Config) { cfg.Delay = time.Duration(random.IntN(3)) * time.Second })
			}
		default:
			if random.IntN(4) == 0 {
				failures = random.IntN(3)
			}
			end := q.NextPosition()
			from, limit, stuck := uint64(random.IntN(int(end))), 1+random.IntN(20), 0
			for from < end {
				next, n, err := q.Redrive(t.Context(), from, end, limit, func(string) (queue.Adopter, error) {
					return targets[random.IntN(len(targets))], nil
				})
				switch {
				case err != nil && !errors.Is(err, errDisk):
					fatal(err)
				case err == nil && next <= from, next < from, n > limit:
					t.Fatalf("seed %d: Redrive(%d) = %d, %d, %v", seed, from, next, n, err)
				case err != nil:
					stuck++
				}
				if from = next; stuck > 3 {
					break
				}
				check(t, q)
			}
		}
		seen := map[string]int{}
		for _, q := range queues {
			if err := q.Check(); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, q.Config().Name, err)
			}
			for p, err := range q.Peek(t.Context()) {
				fatal(err)
				if seen[p.Body]++; p.State == queue.Pending || seen[p.Body] > 1 || !alive[p.Body] {
					t.Fatalf("seed %d: %s is in %s, %v, for the %dth time", seed, p.Body, q.Config().Name, p.State, seen[p.Body])
				}
			}
		}
		if len(seen) != len(alive) {
			t.Fatalf("seed %d: %d of %d messages are there", seed, len(seen), len(alive))
		}
	}
	for _, q := range queues {
		balanced(t, q)
	}
}

// A Receive that moves some messages away hands out none of the others that are
// moved themselves by now.
func TestReceiveDropsWhatIsRedrivenDuringItsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard}
		gate := gates("poison", "good")
		dead, other := w.queue(t, "dead", queue.Config{}), w.queue(t, "other", queue.Config{})
		q := w.queue(t, "main", queue.Config{
			DeadLetter: queue.DeadLetter{Target: gated(dead, gate), MaxReceives: 1},
		})
		send(t, q, "poison")
		receive(t, q, queue.ReceiveOptions{VisibilityTimeout: queue.None}, "poison")
		send(t, q, "good")
		var got []queue.Delivery
		received := start(func() (err error) {
			got, err = q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Second})
			return err
		})
		time.Sleep(2 * time.Second)
		moved := start(func() error {
			_, _, err := q.Redrive(t.Context(), 0, q.NextPosition(), 10, to(gated(other, gate)))
			return err
		})
		synctest.Wait()
		close(gate["poison"])
		if err := answer(t, received); err != nil || len(got) != 0 {
			t.Errorf("Receive = %q, %v", bodies(got), err)
		}
		close(gate["good"])
		if err := answer(t, moved); err != nil {
			t.Error(err)
		}
		holds(t, other, "good")
		holds(t, dead, "poison")
		holds(t, q)
		balanced(t, q)
	})
}

// A Receive that waits for the store, and is given up, leaves alone what it had and
// what is moved by now: made visible, it could be moved a second time.
func TestReceiveGivenUpLeavesWhatIsRedriven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard, store: newReadStore()}
		other := w.queue(t, "other", queue.Config{})
		all := numbered(300) // on two pages
		before, err := open(t.Context(), w.kind, w.store, queue.Config{Name: "main"})
		if err != nil {
			t.Fatal(err)
		}
		send(t, before, all...)
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		q := w.queue(t, "main", queue.Config{})
		for range 25 { // which leaves some on the first page
			remove(t, q, receive(t, q, queue.ReceiveOptions{}, all[:10]...))
			all = all[10:]
		}
		here, away := all[:queue.PageSize-250], all[queue.PageSize-250:]
		release := w.store.hold()
		ctx, cancel := context.WithCancel(t.Context())
		received := start(func() error {
			_, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Second})
			return err
		})
		synctest.Wait()
		if s := stats(t, q); s.InFlight != len(here) {
			t.Fatalf("Stats are %+v, want %d messages in flight", s, len(here))
		}
		time.Sleep(2 * time.Second)
		end, gate := q.NextPosition()-uint64(len(away)), gates(here...)
		redriven := func() error {
			_, _, err := q.Redrive(t.Context(), 0, end, 10, to(gated(other, gate)))
			return err
		}
		moved := start(redriven)
		synctest.Wait()
		cancel()
		if err := answer(t, received); !errors.Is(err, context.Canceled) {
			t.Errorf("Receive returned %v", err)
		}
		twice := start(redriven)
		synctest.Wait()
		for _, g := range gate {
			close(g)
		}
		if err := errors.Join(answer(t, moved), answer(t, twice)); err != nil {
			t.Error(err)
		}
		release()
		holds(t, other, here...)
		holds(t, q, away...)
		balanced(t, q)
	})
}
