package queuetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var contractCases = []testCase{
	{
		name: "Contract/Config/zero",
		rule: "the zero Config is a queue with SQS's defaults",
		test: func(d *desk) {
			q, err := d.harness.New(d.T, queue.Config{})
			require.NoError(d, err)
			d.opened(q)
			d = d.at(q)
			d.send("a")
			start := time.Now()
			got, err := q.Receive(d.Context(), queue.ReceiveOptions{})
			require.NoError(d, err)
			require.Equal(d, []string{"a"}, bodies(got))
			d.receivableAt(start.Add(queue.DefaultVisibility), "a")
			sleepUntil(start.Add(queue.DefaultRetention))
			d.nothing()
		},
	},
	{
		name: "Contract/Config/copied",
		rule: "one Config makes two queues, and they have nothing in common",
		test: func(d *desk) {
			one, two := d.at(d.openNamed("one", queue.Config{})), d.at(d.openNamed("two", queue.Config{}))
			one.send("a")
			two.nothing()
			two.send("b")
			one.one("a")
			two.one("b")
		},
	},
	{
		name: "Contract/Adopter/kind",
		rule: "a queue knows its kind",
		test: func(d *desk) {
			require.Equal(d, d.harness.Kind, ability[queue.Adopter](d, d.q).Kind())
		},
	},
	{
		name: "Contract/As/through-wrappers",
		rule: "an ability is found through wrappers",
		test: func(d *desk) {
			ability[queue.Inspector](d, d.q)
			_, ok := queue.As[queue.Inspector](wrapper{wrapper{d.q}})
			require.True(d, ok, "As finds the Inspector behind two wrappers")
		},
	},
	{
		name: "Contract/Receive/into",
		rule: "with room enough in Into the result is made there, and nothing of its old elements stays",
		test: testInto,
	},
	{
		name: "Contract/Receive/into-too-small",
		rule: "with too little room in Into the result is made elsewhere",
		test: func(d *desk) {
			d.send("a", "b", "c")
			got := d.receiveWith(queue.ReceiveOptions{Max: 3, Into: make([]queue.Delivery, 1, 2)})
			require.ElementsMatch(d, []string{"a", "b", "c"}, bodies(got))
		},
	},
	{
		name: "Contract/Receive/into-of-a-waiter",
		rule: "a long poll's result too is made in Into",
		test: func(d *desk) {
			into := make([]queue.Delivery, 0, 1)
			w := d.park(queue.ReceiveOptions{Into: into})
			d.send("a")
			got := w.gets(0, "a")
			require.Same(d, &into[:1][0], &got[0], "first element of Into and of the result")
		},
	},
	{
		name: "Contract/Receive/result-is-the-callers",
		rule: "what a receive returned is constant whatever becomes of the message, and the caller may overwrite it",
		test: testResultIsCallers,
	},
	{
		name: "Contract/SendBatch/slice-is-the-callers-again",
		rule: "a queue does not keep the slices passed to its batch calls",
		test: testSlicesNotRetained,
	},
	{
		name: "Contract/Receive/attempt-id-on-standard",
		rule: "a Standard queue ignores AttemptID: the same ID receives the next message",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("a", "b")
			o := queue.ReceiveOptions{AttemptID: "attempt"}
			first := d.receiveWith(o)
			second := d.receiveWith(o)
			require.ElementsMatch(d, []string{"a", "b"}, append(bodies(first), bodies(second)...))
		},
	},
	{
		name: "Contract/Config/unlimited",
		rule: "without SQS's limits large messages, large batches, large receives and long times are taken",
		cfg:  queue.Config{Limits: queue.Unlimited, MaxMessageSize: 4 << 20, Retention: 10 * 365 * 24 * time.Hour},
		test: testUnlimited,
	},
}

// A wrapper shows only the interface of what it wraps.
type wrapper struct{ queue.Queue }

func (w wrapper) Unwrap() queue.Queue { return w.Queue }

func testInto(d *desk) {
	m := d.message("full")
	m.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
	m.TraceHeader = traceHeader
	d.sendMessage(m)
	into := make([]queue.Delivery, 5, 10)
	for i := range into {
		into[i] = queue.Delivery{Message: m, ReceiveCount: 99, Sequence: 99, DeadLetterSource: "old", DeadLetterReason: "old"}
	}
	first := d.receiveWith(queue.ReceiveOptions{Max: 10, Into: into})
	require.Equal(d, []string{"full"}, bodies(first))
	require.Same(d, &into[0], &first[0], "first element of Into and of the result")

	d.send("bare")
	second := d.receiveWith(queue.ReceiveOptions{Max: 10, Into: into})
	require.Equal(d, []string{"bare"}, bodies(second))
	got := second[0]
	require.Equal(d, queue.Attributes{}, got.Attributes, "Attributes")
	require.Empty(d, got.TraceHeader+got.DeadLetterSource+got.DeadLetterReason, "TraceHeader, DeadLetterSource, DeadLetterReason")
	require.Equal(d, 1, got.ReceiveCount, "ReceiveCount")
	require.NotEqualValues(d, 99, got.Sequence, "Sequence")
}

func testResultIsCallers(d *desk) {
	m := d.message("a")
	m.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
	d.sendMessage(m)
	kept := d.one("a")
	time.Sleep(queue.DefaultVisibility)
	again := d.exactly(1)
	again[0].Body, again[0].ReceiveCount = "overwritten", 99
	r := again[0].Receipt
	again[0].Receipt = queue.Receipt{}
	d.change(r, 0)
	third := d.one("a")
	require.Equal(d, 3, third.ReceiveCount, "ReceiveCount")
	d.delete(third.Receipt)
	for range 1000 {
		d.send("other")
	}
	d.drain()
	require.Equal(d, "a", kept.Body, "body of a delivery after its message was deleted")
	require.Equal(d, m.Attributes, kept.Attributes, "attributes of a delivery after its message was deleted")
}

func testSlicesNotRetained(d *desk) {
	ms := d.messages("a", "b")
	sent := d.sendBatch(ms...)
	want := []queue.MessageID{sent[0].ID, sent[1].ID}
	clear(ms)
	clear(sent)
	got := d.exactly(2)
	require.ElementsMatch(d, []string{"a", "b"}, bodies(got))
	require.ElementsMatch(d, want, []queue.MessageID{got[0].ID, got[1].ID}, "IDs")

	rs := receipts(got)
	cs := changes(rs, time.Hour)
	require.NoError(d, d.q.ChangeVisibilityBatch(d.Context(), cs))
	clear(cs)
	require.NoError(d, d.q.DeleteBatch(d.Context(), rs))
	clear(rs)
	d.staysGone()
}

func testUnlimited(d *desk) {
	large := strings.Repeat("x", 2<<20)
	d.send(large)
	got := d.exactly(1)
	require.True(d, got[0].Body == large, "the body of 2 MiB comes back as it was sent")
	d.delete(got[0].Receipt)

	var many []string
	for range 100 {
		many = append(many, "a")
	}
	_, err := d.q.SendBatch(d.Context(), d.messages(many...))
	require.NoError(d, err, "SendBatch of 100 messages")
	got = d.receiveWith(queue.ReceiveOptions{Max: 100, VisibilityTimeout: 48 * time.Hour})
	require.Len(d, got, 100, "deliveries of one receive")
	require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(got)), "DeleteBatch of 100 receipts")

	m := d.message("manifold")
	m.Attributes = queue.NewAttributes(manyAttributes(50))
	d.sendMessage(m)
	d.delete(d.one("manifold").Receipt)

	start := time.Now()
	w := d.park(queue.ReceiveOptions{Wait: time.Hour})
	time.Sleep(30 * time.Minute)
	d.send("late")
	w.gets(30*time.Minute, "late")
	require.Equal(d, 30*time.Minute, time.Since(start))
}

var closeCases = []testCase{
	{
		name: "Contract/Close/every-method",
		rule: "after Close every method returns ErrClosed",
		test: testClosed,
	},
	{
		name: "Contract/Close/again",
		rule: "closing again returns nil",
		test: func(d *desk) {
			for range 3 {
				require.NoError(d, d.q.Close())
			}
		},
	},
	{
		name: "Contract/Close/waiters",
		rule: "waiting receivers get ErrClosed at once",
		test: func(d *desk) {
			var ws []*waiter
			for range 5 {
				ws = append(ws, d.park(queue.ReceiveOptions{}))
			}
			time.Sleep(time.Second)
			require.NoError(d, d.q.Close())
			for _, w := range ws {
				w.fails(time.Second, queue.ErrClosed)
			}
		},
	},
	{
		name: "Contract/Close/silent-afterwards",
		rule: "what the queue started has ended when Close returns: nothing happens any more",
		test: func(d *desk) {
			trace, events := recorder()
			d.q = d.openNamed("traced", queue.Config{Trace: trace, Retention: time.Hour})
			d.send("in flight", "visible")
			d.receive(1)
			require.NoError(d, d.q.Close())
			before := len(events.all())
			time.Sleep(24 * time.Hour)
			require.Len(d, events.all(), before, "events traced, a day after Close")
		},
	},
	{
		name: "Contract/Close/while-in-use",
		rule: "Close may be called among other calls, which succeed or get ErrClosed",
		test: testCloseInUse,
	},
}

func testClosed(d *desk) {
	d.send("a", "b")
	r := d.exactly(1)[0].Receipt
	require.NoError(d, d.q.Close())
	ctx := d.Context()
	calls := map[string]func() error{
		"Send":                  func() error { _, err := d.q.Send(ctx, d.message("c")); return err },
		"SendBatch":             func() error { _, err := d.q.SendBatch(ctx, d.messages("c")); return err },
		"Receive":               func() error { _, err := d.q.Receive(ctx, queue.ReceiveOptions{}); return err },
		"Receive with a wait":   func() error { _, err := d.q.Receive(ctx, queue.ReceiveOptions{Wait: time.Second}); return err },
		"Delete":                func() error { return d.q.Delete(ctx, r) },
		"DeleteBatch":           func() error { return d.q.DeleteBatch(ctx, []queue.Receipt{r}) },
		"ChangeVisibility":      func() error { return d.q.ChangeVisibility(ctx, r, 0) },
		"ChangeVisibilityBatch": func() error { return d.q.ChangeVisibilityBatch(ctx, []queue.VisibilityChange{{Receipt: r}}) },
	}
	if q, ok := queue.As[queue.Purger](d.q); ok {
		calls["Purge"] = func() error { return q.Purge(ctx) }
	}
	if q, ok := queue.As[queue.Inspector](d.q); ok {
		calls["Stats"] = func() error { _, err := q.Stats(ctx); return err }
		calls["Peek"] = func() error {
			for _, err := range q.Peek(ctx) {
				return err
			}
			return errors.New("the iteration is empty")
		}
	}
	if q, ok := queue.As[queue.DeadLetterer](d.q); ok {
		calls["DeadLetter"] = func() error { return q.DeadLetter(ctx, r, "") }
	}
	if q, ok := queue.As[queue.Adopter](d.q); ok {
		calls["Adopt"] = func() error { return q.Adopt(ctx, []queue.Record{d.record("c")}, nil) }
	}
	if q, ok := queue.As[configurable](d.q); ok {
		calls["Reconfigure"] = func() error { return q.Reconfigure(ctx, q.Config()) }
	}
	for name, call := range calls {
		require.ErrorIs(d, call(), queue.ErrClosed, "%s after Close", name)
	}
}

func testCloseInUse(d *desk) {
	finished := make(chan error, 16)
	for range cap(finished) {
		go func() { // ends when the queue is closed
			for {
				if _, err := d.q.Send(context.Background(), d.message("a")); err != nil {
					finished <- err
					return
				}
				got, err := d.q.Receive(context.Background(), queue.ReceiveOptions{Wait: time.Second})
				if err == nil && len(got) > 0 {
					err = d.q.Delete(context.Background(), got[0].Receipt)
				}
				if err != nil {
					finished <- err
					return
				}
				time.Sleep(tick)
			}
		}()
	}
	time.Sleep(100 * time.Millisecond)
	require.NoError(d, d.q.Close())
	for range cap(finished) {
		require.ErrorIs(d, <-finished, queue.ErrClosed)
	}
}

var contextCases = []testCase{
	{
		name: "Contract/Receive/context-cancelled",
		rule: "a cancelled context ends a long poll with its error",
		test: func(d *desk) {
			ctx, cancel := context.WithCancel(d.Context())
			w := d.parkContext(ctx, queue.ReceiveOptions{})
			time.Sleep(3 * time.Second)
			cancel()
			w.fails(3*time.Second, context.Canceled)
		},
	},
	{
		name: "Contract/Receive/context-deadline",
		rule: "a context's deadline ends a long poll with its error",
		test: func(d *desk) {
			ctx, cancel := context.WithTimeout(d.Context(), 5*time.Second)
			defer cancel()
			d.parkContext(ctx, queue.ReceiveOptions{}).fails(5*time.Second, context.DeadlineExceeded)
		},
	},
	{
		name: "Contract/Receive/context-cancelled-before",
		rule: "a receive with a context cancelled before either receives the message, or fails and takes nothing",
		test: func(d *desk) {
			d.send("a")
			got, err := d.q.Receive(cancelled(d), queue.ReceiveOptions{Wait: time.Second})
			if err == nil {
				require.Equal(d, []string{"a"}, bodies(got))
				return
			}
			require.ErrorIs(d, err, context.Canceled)
			require.Equal(d, 1, d.one("a").ReceiveCount, "ReceiveCount after a receive that failed")
		},
	},
	{
		name: "Contract/Receive/context-cancelled-before-on-empty",
		rule: "a long poll with a context cancelled before does not wait",
		test: func(d *desk) {
			start := time.Now()
			got, err := d.q.Receive(cancelled(d), queue.ReceiveOptions{Wait: 10 * time.Second})
			require.ErrorIs(d, err, context.Canceled)
			require.Empty(d, got)
			require.Zero(d, time.Since(start), "duration")
		},
	},
	{
		name: "Contract/Send/context-cancelled-before",
		rule: "when Send returns the context's error nothing was sent, and when it returns nil the message is there",
		test: func(d *desk) {
			sent, err := d.q.Send(cancelled(d), d.message("a"))
			if err == nil {
				require.Equal(d, sent.ID, d.one("a").ID, "ID")
				return
			}
			require.ErrorIs(d, err, context.Canceled)
			require.Zero(d, sent)
			d.nothing()
		},
	},
	{
		name: "Contract/Delete/context-cancelled-before",
		rule: "when Delete returns the context's error nothing was deleted, and when it returns nil the message is gone",
		test: func(d *desk) {
			d.send("a")
			err := d.q.Delete(cancelled(d), d.one("a").Receipt)
			time.Sleep(queue.DefaultVisibility)
			if err == nil {
				d.nothing()
				return
			}
			require.ErrorIs(d, err, context.Canceled)
			d.one("a")
		},
	},
}

func cancelled(d *desk) context.Context {
	ctx, cancel := context.WithCancel(d.Context())
	cancel()
	return ctx
}

var adoptCases = []testCase{
	{
		name: "Contract/Adopt/standard",
		rule: "a Standard queue takes a message over with its ID, counts, times and origin, visible at once",
		kind: queue.Standard,
		cfg:  queue.Config{Delay: time.Minute},
		test: testAdoptStandard,
	},
	{
		name: "Contract/Adopt/many",
		rule: "messages are taken over in order, and count as Adopted",
		test: func(d *desk) {
			var rs []queue.Record
			for _, body := range eleven {
				rs = append(rs, d.record(body))
			}
			require.NoError(d, ability[queue.Adopter](d, d.q).Adopt(d.Context(), rs, nil))
			clear(rs) // the caller's again
			s := d.stats()
			require.EqualValues(d, 11, s.Adopted, "Stats.Adopted")
			require.EqualValues(d, 0, s.Accepted, "Stats.Accepted")
			var seen []string
			for _, p := range d.peek() {
				seen = append(seen, p.Body)
			}
			require.Equal(d, eleven, seen, "bodies in sequence order")
		},
	},
	{
		name: "Contract/Adopt/wakes-waiters",
		rule: "a message taken over wakes a long poll",
		test: func(d *desk) {
			target := ability[queue.Adopter](d, d.q)
			w := d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			require.NoError(d, target.Adopt(d.Context(), []queue.Record{d.record("a")}, nil))
			w.gets(time.Second, "a")
		},
	},
	{
		name: "Contract/Adopt/new",
		rule: "a record without an ID is taken over as a new message: it gets an ID, is sent now, and was never received",
		test: testAdoptNew,
	},
	{
		name: "Contract/Adopt/new-is-delayed",
		rule: "a record without an ID waits for the queue's Delay from now on",
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			r := d.newRecord("a")
			r.Seq, r.DueAt = 12345, time.Now().Add(time.Hour).UnixMilli() // the source's own
			time.Sleep(time.Minute)
			start := time.Now()
			d.adopt(r)
			s := d.stats()
			require.Equal(d, 1, s.Delayed, "Stats.Delayed")
			require.Equal(d, 0, s.Visible, "Stats.Visible")
			d.receivableAt(start.Add(10*time.Second), "a")
		},
	},
	{
		name: "Contract/Adopt/new-wakes-waiters",
		rule: "a record without an ID wakes a long poll when its delay is over",
		cfg:  queue.Config{Delay: 3 * time.Second},
		test: func(d *desk) {
			target := ability[queue.Adopter](d, d.q)
			w := d.park(queue.ReceiveOptions{})
			require.NoError(d, target.Adopt(d.Context(), []queue.Record{d.newRecord("a")}, nil))
			w.gets(3*time.Second, "a")
		},
	},
	{
		name: "Contract/Adopt/new-among-others",
		rule: "records with and without an ID may come together, and in order",
		test: func(d *desk) {
			known := d.record("b")
			d.adopt(d.newRecord("a"), known, d.newRecord("c"))
			var seen []string
			ids := map[queue.MessageID]bool{}
			for _, p := range d.peek() {
				seen = append(seen, p.Body)
				ids[p.ID] = true
			}
			require.Equal(d, []string{"a", "b", "c"}, seen, "bodies in sequence order")
			require.Len(d, ids, 3, "IDs")
			require.True(d, ids[known.ID], "the ID that was there stays")
		},
	},
	{
		name: "Contract/Adopt/new-keeps-deduplication-ID",
		rule: "the deduplication ID of a record without an ID is neither looked for nor remembered, and stays",
		kind: queue.FIFO,
		test: func(d *desk) {
			first := d.newRecord("a")
			d.sendMessage(first.Message)
			second := d.newRecord("b")
			d.adopt(first, second)
			d.sendMessage(second.Message)
			var seen, ids []string
			for _, p := range d.peek() {
				seen = append(seen, p.Body)
				ids = append(ids, p.DeduplicationID)
			}
			require.Equal(d, []string{"a", "a", "b", "b"}, seen, "bodies in sequence order")
			x, y := first.DeduplicationID, second.DeduplicationID
			require.Equal(d, []string{x, x, y, y}, ids, "deduplication IDs")
			d.sendMessage(first.Message) // which was sent before
			require.Len(d, d.peek(), 4, "messages after one was repeated")
		},
	},
}

// adopt hands messages over to the queue, or skips the case.
func (d *desk) adopt(rs ...queue.Record) {
	d.Helper()
	require.NoError(d, ability[queue.Adopter](d, d.q).Adopt(d.Context(), rs, nil), "Adopt")
}

// newRecord is a message as a move task hands it over.
func (d *desk) newRecord(body string) queue.Record { return queue.Record{Message: d.message(body)} }

func testAdoptNew(d *desk) {
	sent := d.send("first")[0]
	time.Sleep(time.Minute)
	start := time.Now()
	rs := []queue.Record{d.newRecord("a"), d.newRecord("b")}
	rs[0].TraceHeader = traceHeader
	rs[0].Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
	rs[1].SentAt = start.Add(-time.Hour).UnixMilli() // when it was sent elsewhere
	d.adopt(rs...)
	ids := map[queue.MessageID]bool{{}: true, sent.ID: true}
	for _, got := range d.exactly(3)[1:] {
		r := rs[0]
		if got.Body == "b" {
			r = rs[1]
		}
		require.Equal(d, r.Message, got.Message, "the message itself")
		require.False(d, ids[got.ID], "its ID %v is new", got.ID)
		ids[got.ID] = true
		require.Equal(d, 1, got.ReceiveCount, "ReceiveCount")
		require.WithinDuration(d, start, got.SentAt, 0, "SentAt")
		require.WithinDuration(d, start, got.FirstReceivedAt, 0, "FirstReceivedAt")
		require.Empty(d, got.DeadLetterSource+got.DeadLetterReason, "DeadLetterSource, DeadLetterReason")
	}
	s := d.stats()
	require.EqualValues(d, 2, s.Adopted, "Stats.Adopted")
	require.EqualValues(d, 1, s.Accepted, "Stats.Accepted")
}

// record is a message as another queue would hand it over.
func (d *desk) record(body string) queue.Record {
	id := queue.MessageID{15: byte(d.made.Add(1)), 0: 77}
	return queue.Record{ID: id, Message: d.message(body), SentAt: time.Now().UnixMilli()}
}

func testAdoptStandard(d *desk) {
	r := d.record("a")
	r.Seq, r.DueAt = 12345, time.Now().Add(time.Hour).UnixMilli() // the source's own
	r.Receives = 7
	sent, first := time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	r.SentAt, r.FirstReceivedAt = sent.UnixMilli(), first.UnixMilli()
	r.DeadLetterSource, r.DeadLetterReason = "elsewhere", "because"
	require.NoError(d, ability[queue.Adopter](d, d.q).Adopt(d.Context(), []queue.Record{r}, nil))
	got := d.one("a")
	require.Equal(d, r.ID, got.ID, "ID")
	require.Equal(d, 8, got.ReceiveCount, "ReceiveCount")
	require.WithinDuration(d, sent, got.SentAt, 0, "SentAt")
	require.WithinDuration(d, first, got.FirstReceivedAt, 0, "FirstReceivedAt")
	require.Equal(d, "elsewhere", got.DeadLetterSource, "DeadLetterSource")
	require.Equal(d, "because", got.DeadLetterReason, "DeadLetterReason")
}
