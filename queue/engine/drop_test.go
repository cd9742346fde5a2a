package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// again makes a queue of the same name and place, which must be new.
func (w *place) again(t *testing.T, name string, old queue.Receipt) mover {
	t.Helper()
	q := w.queue(t, name, queue.Config{})
	if s := stats(t, q); s != (queue.Stats{}) || q.NextPosition() != 1 {
		t.Errorf("the new queue's Stats are %+v, its next position is %d", s, q.NextPosition())
	}
	if old != (queue.Receipt{}) {
		if err := q.Delete(t.Context(), old); !errors.Is(err, queue.ErrReceiptInvalid) {
			t.Errorf("the new queue says %v of a receipt of the old one", err)
		}
	}
	send(t, q, "new")
	holds(t, q, "new")
	return q
}

// sendOne sends a message, in a FIFO queue in a group of its own.
func sendOne(t *testing.T, q engine, body string) error {
	m := queue.Message{Body: body}
	if q.Kind() == queue.FIFO {
		m.GroupID, m.DeduplicationID = "group-"+body, body
	}
	_, err := q.Send(t.Context(), m)
	return err
}

// Who waits is told at once, and so is everybody who comes later. A queue of that
// name is another one.
func TestDrop(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		q := w.queue(t, "main", queue.Config{})
		send(t, q, numbered(7)...)
		ds := receive(t, q, queue.ReceiveOptions{}, numbered(7)...)
		var polls []<-chan error
		for range 3 {
			polls = append(polls, start(func() error {
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				return err
			}))
			synctest.Wait()
		}
		began := time.Now()
		if err := q.Drop(); err != nil {
			t.Fatal(err)
		}
		for _, p := range polls {
			if err := answer(t, p); !errors.Is(err, queue.ErrQueueDeleted) {
				t.Errorf("a waiting Receive returned %v", err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("Drop took %v", took)
		}
		ctx, r := t.Context(), ds[0].Receipt
		for name, call := range map[string]func() error{
			"Send": func() error { return sendOne(t, q, "x") },
			"Receive": func() error {
				_, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
				return err
			},
			"Delete":           func() error { return q.Delete(ctx, r) },
			"ChangeVisibility": func() error { return q.ChangeVisibility(ctx, r, 0) },
			"DeadLetter":       func() error { return q.DeadLetter(ctx, r, "") },
			"Purge":            func() error { return q.Purge(ctx) },
			"Reconfigure":      func() error { return q.Reconfigure(ctx, q.Config()) },
			"Adopt": func() error {
				return q.Adopt(ctx, []queue.Record{{Message: queue.Message{Body: "x", GroupID: "g"}}}, nil)
			},
			"Stats": func() error {
				_, err := q.Stats(ctx)
				return err
			},
			"Peek": func() error {
				for _, err := range q.Peek(ctx) {
					return err
				}
				return nil
			},
		} {
			if err := call(); !errors.Is(err, queue.ErrQueueDeleted) {
				t.Errorf("%s returned %v", name, err)
			}
		}
		if err := errors.Join(q.Drop(), q.Close()); err != nil {
			t.Errorf("ended again: %v", err)
		}
		w.again(t, "main", r)
	})
}

// A queue that is closed can be dropped.
func TestDropAfterClose(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		q := w.queue(t, "main", queue.Config{})
		send(t, q, numbered(5)...)
		if err := errors.Join(q.Close(), q.Drop(), q.Drop()); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Stats(t.Context()); !errors.Is(err, queue.ErrQueueDeleted) {
			t.Errorf("Stats returned %v", err)
		}
		w.again(t, "main", queue.Receipt{})
	})
}

// Drop waits for the calls under way, and for its own record.
func TestDropWaitsForCalls(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore()}
		q := w.queue(t, "main", queue.Config{})
		send(t, q, "a")
		r := receive(t, q, queue.ReceiveOptions{}, "a")[0].Receipt
		w.store.Hold(queue.Durable)
		sent := start(func() error { return sendOne(t, q, "x") })
		synctest.Wait()
		deleted := start(func() error { return q.Delete(t.Context(), r) })
		synctest.Wait()
		dropped := start(func() error { return q.Drop() })
		if !running(sent) || !running(deleted) || !running(dropped) {
			t.Error("a call returned before its record was durable")
		}
		w.store.ReleaseOldest(w.store.Pending())
		if err := errors.Join(answer(t, sent), answer(t, deleted)); err != nil {
			t.Error(err)
		}
		if !running(dropped) {
			t.Error("Drop returned before its record was durable")
		}
		// Who drops it as well is told no earlier.
		twice := start(func() error { return q.Drop() })
		if !running(twice) {
			t.Error("a second Drop returned before the first one's record was durable")
		}
		w.store.Release()
		if err := errors.Join(answer(t, dropped), answer(t, twice)); err != nil {
			t.Error(err)
		}
		w.again(t, "main", r)
	})
}

// Close and Drop may come together, in any order.
func TestDropAndClose(t *testing.T) {
	for _, closesFirst := range []bool{false, true} {
		everywhere(t, func(t *testing.T, w *place) {
			q := w.queue(t, "main", queue.Config{})
			send(t, q, numbered(5)...)
			r := receive(t, q, queue.ReceiveOptions{}, numbered(5)...)[0].Receipt
			if w.store != nil {
				w.store.SetLatency(time.Second)
			}
			sent := start(func() error { return sendOne(t, q, "x") })
			synctest.Wait()
			ends := []func() error{func() error { return q.Drop() }, q.Close}
			if closesFirst {
				slices.Reverse(ends)
			}
			var calls []<-chan error
			for _, end := range ends {
				calls = append(calls, start(end))
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
			if err := errors.Join(answer(t, sent), answer(t, calls[0]), answer(t, calls[1])); err != nil {
				t.Error(err)
			}
			w.again(t, "main", r)
		})
	}
}

// The values that come with a Drop are written with it: wherever the machine
// stops, both are there or neither.
func TestDropIsOneBatch(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		for point := range 2 {
			st := queuetest.NewMemStore()
			cfg := queue.Config{ARN: "arn", Limits: queue.Unlimited}
			q, err := open(t.Context(), kind, st, cfg)
			if err != nil {
				t.Fatal(err)
			}
			send(t, q, numbered(3)...)
			st.Hold(queue.Durable)
			dropped := start(func() error {
				return q.(mover).Drop(queue.Meta{Name: "a", Value: []byte("gone")}, queue.Meta{Name: "b", Value: []byte("too")})
			})
			if !running(dropped) || st.Pending() != 1 {
				t.Errorf("Drop has made %d batches", st.Pending())
			}
			st = st.CrashKeeping(point)
			if err := answer(t, dropped); !errors.Is(err, queue.ErrUncertain) {
				t.Errorf("Drop returned %v", err)
			}
			if err := q.(mover).Drop(); !errors.Is(err, queue.ErrUncertain) {
				t.Errorf("a second Drop returned %v", err)
			}
			meta, err := st.Meta(t.Context())
			if err != nil || len(meta) != 2*point {
				t.Errorf("after %d batches Meta is %q, %v", point, meta, err)
			}
			q, err = open(t.Context(), kind, st, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got := drain(t, q); len(got) != 3-3*point {
				t.Errorf("after %d batches the queue has %q", point, bodies(got))
			}
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Over a store that has failed Drop fails, and the queue ends all the same.
func TestDropOverAFailedStore(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		for _, failsNow := range []bool{false, true} {
			st := queuetest.NewMemStore()
			q, err := open(t.Context(), kind, st, queue.Config{Name: "q.fifo", Limits: queue.Unlimited})
			if err != nil {
				t.Fatal(err)
			}
			poll := start(func() error {
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				return err
			})
			synctest.Wait()
			want := queue.ErrQueueDeleted
			st.Fail()
			if !failsNow {
				if err := sendOne(t, q, "x"); err == nil {
					t.Fatal("the store has not failed")
				}
				want = queue.ErrStoreFailed
			}
			for range 2 {
				if err := q.(mover).Drop(); !errors.Is(err, queue.ErrStoreFailed) {
					t.Errorf("Drop returned %v", err)
				}
			}
			if err := answer(t, poll); !errors.Is(err, want) {
				t.Errorf("the waiting Receive returned %v, want %v", err, want)
			}
			if _, err := q.Stats(t.Context()); !errors.Is(err, queue.ErrQueueDeleted) {
				t.Errorf("Stats returned %v", err)
			}
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A store without room has room for a Drop.
func TestDropOverAFullStore(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore()}
		q := w.queue(t, "main", queue.Config{})
		send(t, q, "x")
		w.store.SetFull(true)
		if err := q.Drop(queue.Meta{Name: "a", Value: []byte("b")}); err != nil {
			t.Error(err)
		}
		w.store.SetFull(false)
		w.again(t, "main", queue.Receipt{})
	})
}

// Nothing happens to a queue any more that was dropped: no delay ends, nothing
// expires.
func TestDropLeavesNoTimer(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		over := false
		q := w.queue(t, "main", queue.Config{
			Delay: time.Minute, Retention: time.Hour,
			Trace: &queue.Trace{Message: func(e queue.Event) {
				if over {
					t.Errorf("a message was %v", e.Step)
				}
			}},
		})
		send(t, q, numbered(6)...)
		if err := q.Drop(); err != nil {
			t.Fatal(err)
		}
		over = true
		loads := 0
		if w.store != nil {
			loads = w.store.loads
		}
		time.Sleep(24 * time.Hour)
		if w.store != nil && w.store.loads != loads {
			t.Error("a page was read")
		}
	})
}

// Drop waits for a load, and who wanted it is told.
func TestDropDuringALoad(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore(), paged: true}
		q := w.queue(t, "main", queue.Config{})
		send(t, q, numbered(10)...)
		release := w.store.hold()
		var calls []<-chan error
		for range 2 { // one loads, one waits for it
			calls = append(calls, start(func() error {
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				return err
			}))
			synctest.Wait()
		}
		dropped := start(func() error { return q.Drop() })
		if !running(dropped) {
			t.Error("Drop returned during a load")
		}
		release()
		for _, c := range calls {
			if err := answer(t, c); !errors.Is(err, queue.ErrQueueDeleted) {
				t.Errorf("Receive returned %v", err)
			}
		}
		if err := answer(t, dropped); err != nil {
			t.Error(err)
		}
		w.again(t, "main", queue.Receipt{})
	})
}

// Drop waits for a load that is made for those who wait.
func TestDropDuringALoadForWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &place{kind: queue.Standard, store: newReadStore(), paged: true}
		q := w.queue(t, "main", queue.Config{Delay: time.Second})
		send(t, q, numbered(6)...)
		poll := start(func() error {
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			return err
		})
		synctest.Wait()
		release := w.store.hold()
		time.Sleep(time.Second) // the delays are over
		synctest.Wait()
		dropped := start(func() error { return q.Drop() })
		if err := answer(t, poll); !errors.Is(err, queue.ErrQueueDeleted) {
			t.Errorf("Receive returned %v", err)
		}
		if !running(dropped) {
			t.Error("Drop returned during a load")
		}
		release()
		if err := answer(t, dropped); err != nil {
			t.Error(err)
		}
	})
}

// A Peek that is under way doesn't read a queue that its store has no more.
func TestDropDuringAPeek(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		w := &place{kind: kind, store: newReadStore(), paged: true}
		q := w.queue(t, "main", queue.Config{})
		send(t, q, numbered(10)...)
		var seen []string
		var last error
		for p, err := range q.Peek(t.Context()) {
			if err != nil {
				last = err
				continue
			}
			if seen = append(seen, p.Body); len(seen) == 1 {
				if err := q.Drop(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !errors.Is(last, queue.ErrQueueDeleted) || len(seen) > 2 {
			t.Errorf("Peek showed %q and ended with %v", seen, last)
		}

		q = w.again(t, "main", queue.Receipt{})
		squeeze(q)
		send(t, q, numbered(10)...)
		release := w.store.hold()
		peeked := start(func() error {
			for _, err := range q.Peek(t.Context()) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		synctest.Wait()
		dropped := start(func() error { return q.Drop() })
		if !running(dropped) {
			t.Error("Drop returned during a load")
		}
		release()
		if err := answer(t, dropped); err != nil {
			t.Error(err)
		}
		if err := answer(t, peeked); !errors.Is(err, queue.ErrQueueDeleted) {
			t.Errorf("Peek ended with %v", err)
		}
	})
}

// A Receive that deals with deadlines after a move when the queue ends is told so,
// and doesn't begin to wait.
func TestDropDuringAReceiveThatCatchesUpAfterAMove(t *testing.T) {
	for _, drops := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gate, held := gates("x"), make(chan struct{})
			expired := 0
			dead := newQueue(t, queue.Standard, nil, queue.Config{})
			q := newQueue(t, queue.Standard, nil, queue.Config{
				Limits: queue.Unlimited, Retention: time.Hour,
				DeadLetter: queue.DeadLetter{Target: gated(dead, gate), MaxReceives: 1},
				Trace: &queue.Trace{Message: func(e queue.Event) {
					if e.Step == queue.StepExpired {
						if expired++; expired == 1 {
							<-held
						}
					}
				}},
			}).(mover)
			send(t, q, "x")
			r := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: 10 * time.Hour}, "x")[0].Receipt
			if _, err := q.SendBatch(t.Context(), slices.Repeat([]queue.Message{{Body: "later", Delay: 10 * time.Minute}}, 5000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			if err := q.ChangeVisibility(t.Context(), r, 0); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			received := start(func() error { // x moves
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				return err
			})
			synctest.Wait()
			// All is expired at once, and in a bubble no timer fires before this
			// goroutine and the receiver rest.
			reconfigure(t, q, func(cfg *queue.Config) { cfg.Retention = time.Minute })
			close(gate["x"])
			synctest.Wait()
			ended := start(func() error {
				if drops {
					return q.Drop()
				}
				return q.Close()
			})
			synctest.Wait()
			close(held)
			err := <-received
			if !errors.Is(err, queue.ErrClosed) && !errors.Is(err, queue.ErrQueueDeleted) || time.Since(began) > 0 {
				t.Errorf("Receive returned %v after %v", err, time.Since(began))
			}
			if err := answer(t, ended); err != nil {
				t.Error(err)
			}
		})
	}
}

// A message that moves while its source or its target is dropped is in one of
// them, or goes down with the one that was dropped; the other one has the rest.
func TestDropDuringADeadLetterMove(t *testing.T) {
	for _, dropsSource := range []bool{false, true} {
		for _, setsAside := range []bool{false, true} {
			everywhere(t, func(t *testing.T, w *place) {
				gate := gates("x")
				dead := w.queue(t, "dead", queue.Config{})
				q := w.queue(t, "main", queue.Config{DeadLetter: queue.DeadLetter{Target: gated(dead, gate), MaxReceives: 1}})
				sendGrouped(t, q, "x", "y", "z", "u", "v")
				ds, err := q.Receive(t.Context(), queue.ReceiveOptions{})
				if err != nil || len(ds) != 1 || ds[0].Body != "x" {
					t.Fatal(bodies(ds), err)
				}
				if !setsAside {
					if err := q.ChangeVisibility(t.Context(), ds[0].Receipt, 0); err != nil {
						t.Fatal(err)
					}
				}
				var got []queue.Delivery
				moved := start(func() (err error) {
					if setsAside {
						return q.DeadLetter(t.Context(), ds[0].Receipt, "")
					}
					got, err = q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Second})
					return err
				})
				if !running(moved) {
					t.Fatal("nothing moves")
				}
				dropped := start(func() error {
					if dropsSource {
						return q.Drop()
					}
					return dead.Drop()
				})
				if running(dropped) != dropsSource {
					t.Errorf("Drop has returned: %t", !running(dropped))
				}
				close(gate["x"])
				err = answer(t, moved)
				if err := answer(t, dropped); err != nil {
					t.Error(err)
				}
				switch {
				case dropsSource && setsAside && err == nil:
					holds(t, dead, "x")
				case dropsSource && !setsAside && errors.Is(err, queue.ErrQueueDeleted) && len(got) == 0:
					holds(t, dead, "x")
				case !dropsSource && setsAside && errors.Is(err, queue.ErrQueueDeleted):
					time.Sleep(time.Hour)
					left := bodies(drain(t, q))
					slices.Sort(left)
					if !slices.Equal(left, []string{"u", "v", "x", "y", "z"}) {
						t.Errorf("%q are left", left)
					}
				case !dropsSource && !setsAside && err == nil:
					// What doesn't find its dead-letter queue is delivered once more.
					left := append(bodies(got), bodies(drain(t, q))...)
					if slices.Sort(left); !slices.Equal(left, []string{"u", "v", "x", "y", "z"}) {
						t.Errorf("%q are left", left)
					}
				default:
					t.Errorf("the move ended with %v, %q", err, bodies(got))
				}
			})
		}
	}
}

// Whatever runs while queues of one store are dropped, no batch names a queue that
// is gone, and what was accepted by one that is still there is there.
func TestDropAmongCalls(t *testing.T) {
	for _, victim := range []string{"main", "dead", "both"} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			for _, paged := range []bool{false, true} {
				w := &place{kind: kind, store: newReadStore(), paged: paged}
				w.store.SetLatency(time.Millisecond)
				dead := w.queue(t, "dead", queue.Config{})
				q := w.queue(t, "main", queue.Config{
					VisibilityTimeout: 2 * time.Millisecond,
					DeadLetter:        queue.DeadLetter{Target: dead, MaxReceives: 1},
				})
				over := func(err error) bool { return errors.Is(err, queue.ErrQueueDeleted) }
				var mu sync.Mutex
				there := map[string]bool{} // sent to main and not deleted
				var calls []<-chan error
				work := func(f func(i int) error) {
					calls = append(calls, start(func() error {
						for i := range 60 {
							if err := f(i); over(err) {
								return nil
							} else if err != nil {
								return err
							}
							time.Sleep(time.Millisecond)
						}
						return nil
					}))
				}
				for k := range 3 {
					work(func(i int) error {
						body := fmt.Sprint(k, "-", i)
						err := sendOne(t, q, body)
						if err == nil {
							mu.Lock()
							there[body] = true
							mu.Unlock()
						}
						return err
					})
				}
				work(func(int) error {
					got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 4, Wait: 10 * time.Millisecond})
					for i := range got {
						if i%2 == 0 {
							switch err := q.Delete(t.Context(), got[i].Receipt); {
							case err == nil, errors.Is(err, queue.ErrUncertain):
								mu.Lock()
								delete(there, got[i].Body)
								mu.Unlock()
							case !errors.Is(err, queue.ErrReceiptExpired):
								return err
							}
						} else if err := q.DeadLetter(t.Context(), got[i].Receipt, "set aside"); err != nil &&
							!errors.Is(err, queue.ErrReceiptExpired) && !errors.Is(err, queue.ErrMessageGone) && !over(err) {
							return err
						}
					}
					return err
				})
				work(func(int) error {
					_, _, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 3, to(q))
					if over(err) {
						_, err = dead.Stats(t.Context())
					}
					return err
				})
				work(func(int) error {
					for _, err := range q.Peek(t.Context()) {
						if err != nil {
							return err
						}
					}
					return nil
				})
				time.Sleep(25 * time.Millisecond)
				drop := func(q mover) {
					if err := q.Drop(); err != nil {
						t.Error(err)
					}
				}
				if victim != "dead" {
					drop(q)
				}
				if victim != "main" {
					drop(dead)
				}
				for _, c := range calls {
					if err := <-c; err != nil {
						t.Error(err)
					}
				}
				if victim == "dead" {
					// What went to dead before it was dropped is gone with it.
					for p, err := range q.Peek(t.Context()) {
						if err != nil || !there[p.Body] {
							t.Errorf("%q, %v is left", p.Body, err)
						}
					}
					s := stats(t, q)
					if got := int(s.Accepted+s.Adopted) - int(s.Deleted+s.Moved); got != s.Visible+s.InFlight+s.Delayed+s.Pending {
						t.Errorf("Stats are %+v", s)
					}
				}
			}
		})
	}
}
