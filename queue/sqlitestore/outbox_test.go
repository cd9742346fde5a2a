package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

// A shop is an application: a database with a table of its own, a store in it,
// and a queue with an outbox.
type shop struct {
	testing.TB
	ctx    context.Context
	db     *sql.DB
	st     *Store
	outbox *Queue
}

// openQueue opens a queue of the kind that its name tells.
func openQueue(ctx context.Context, st queue.Store, cfg queue.Config) (queue.Adopter, error) {
	kind := queue.Standard
	if strings.HasSuffix(cfg.Name, ".fifo") {
		kind = queue.FIFO
	}
	return openQueueOf(ctx, kind, st, cfg)
}

func openQueueOf(ctx context.Context, kind queue.Kind, st queue.Store, cfg queue.Config) (queue.Adopter, error) {
	if kind == queue.FIFO {
		q, err := fifo.Open(ctx, st, cfg)
		if err != nil {
			return nil, err
		}
		return q, nil
	}
	q, err := standard.Open(ctx, st, cfg)
	if err != nil {
		return nil, err
	}
	return q, nil
}

func openShop(t testing.TB, path string, cfg queue.Config) *shop {
	t.Helper()
	s := &shop{TB: t, ctx: context.Background(), st: openAt(t, path, small)}
	s.db = appDB(t, s.st)
	_, err := s.db.Exec(`CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, what TEXT)`)
	require.NoError(t, err)
	q, err := openQueue(s.ctx, s.st, cfg)
	require.NoError(t, err)
	s.outbox, err = s.st.WithOutbox(s.ctx, q)
	require.NoError(t, err)
	t.Cleanup(func() { s.outbox.Close() })
	return s
}

func newShop(t testing.TB, cfg queue.Config) *shop {
	t.Helper()
	return openShop(t, filepath.Join(t.TempDir(), "shop.db"), cfg)
}

func (s *shop) close() {
	s.Helper()
	require.NoError(s, s.outbox.Close())
	require.NoError(s, s.st.Close())
}

// order writes an order and sends messages in one transaction.
func (s *shop) order(ms ...queue.Message) *sql.Tx {
	s.Helper()
	tx, err := s.db.BeginTx(s.ctx, nil)
	require.NoError(s, err)
	for _, m := range ms {
		_, err = tx.Exec(`INSERT INTO orders (what) VALUES (?)`, m.Body)
		require.NoError(s, err)
		require.NoError(s, s.st.SendTx(s.ctx, tx, s.outbox, m))
	}
	return tx
}

func (s *shop) commit(ms ...queue.Message) {
	s.Helper()
	require.NoError(s, s.order(ms...).Commit())
}

// receive receives and deletes everything there is.
func (s *shop) receive() []string {
	s.Helper()
	bodies := []string{}
	for {
		got, err := s.outbox.Receive(s.ctx, queue.ReceiveOptions{Max: 10})
		require.NoError(s, err)
		if len(got) == 0 {
			return bodies
		}
		for _, d := range got {
			bodies = append(bodies, d.Body)
			require.NoError(s, s.outbox.Delete(s.ctx, d.Receipt))
		}
	}
}

// rows returns the bodies in the outbox.
func (s *shop) rows() []string {
	s.Helper()
	rows, err := s.db.Query(`SELECT body FROM restante_outbox ORDER BY id`)
	require.NoError(s, err)
	defer rows.Close()
	bodies := []string{}
	for rows.Next() {
		var body string
		require.NoError(s, rows.Scan(&body))
		bodies = append(bodies, body)
	}
	return bodies
}

func text1(body string) queue.Message { return queue.Message{Body: body} }

func TestSendTx(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails"})
	m := queue.Message{
		Body: "one", GroupID: "tenant", TraceHeader: "Root=1",
		Attributes: queue.NewAttributes(map[string]queue.Value{"a": queue.String("b"), "n": queue.Binary([]byte{0, 1})}),
	}
	tx := s.order(m, text1("two"))
	require.Empty(t, s.receive(), "nobody sees what isn't committed")
	require.NoError(t, tx.Commit())
	require.NoError(t, s.st.Deliver(s.ctx))
	require.Empty(t, s.rows())
	got, err := s.outbox.Receive(s.ctx, queue.ReceiveOptions{Max: 10})
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, m, got[0].Message)
	require.Equal(t, "two", got[1].Body)
	stats, err := s.outbox.inner.(*standard.Queue).Stats(s.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, stats.Accepted)
}

func TestRollbackLeavesNothing(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails"})
	require.NoError(t, s.order(text1("never")).Rollback())
	require.NoError(t, s.st.Deliver(s.ctx))
	require.Empty(t, s.receive())
	require.Empty(t, s.rows())
	s.commit(text1("after"))
	require.Equal(t, []string{"after"}, s.receive())
}

// Without Deliver a message is found by the next call, and comes before what that
// call sends.
func TestFoundAtTheNextCall(t *testing.T) {
	for _, name := range []string{"mails", "mails.fifo"} {
		s := newShop(t, queue.Config{Name: name, ContentDeduplication: name == "mails.fifo", Limits: queue.SQSLimits})
		m := func(body string) queue.Message { return queue.Message{Body: body, GroupID: "g"} }
		s.commit(m("1"), m("2"))
		_, err := s.outbox.Send(s.ctx, m("3"))
		require.NoError(t, err)
		s.commit(m("4"))
		_, err = s.outbox.SendBatch(s.ctx, []queue.Message{m("5"), m("6")})
		require.NoError(t, err)
		s.commit(m("7"))
		require.Equal(t, []string{"1", "2", "3", "4", "5", "6", "7"}, s.receive())
		s.commit(m("8"))
		require.NoError(t, s.outbox.Purge(s.ctx))
		require.Empty(t, s.receive())
		require.Empty(t, s.rows())
	}
}

func TestFoundOnOpen(t *testing.T) {
	for _, name := range []string{"mails", "mails.fifo"} {
		cfg := queue.Config{Name: name}
		s := newShop(t, cfg)
		var want []string
		for i := range 25 {
			m := queue.Message{Body: fmt.Sprint("m", i)}
			if name == "mails.fifo" {
				m.GroupID, m.DeduplicationID = "g", fmt.Sprint(i)
			}
			s.commit(m)
			want = append(want, m.Body)
		}
		path := s.st.path
		s.close()
		s = openShop(t, path, cfg)
		require.Empty(t, s.rows(), "WithOutbox takes over what it finds")
		require.Equal(t, want, s.receive())
	}
}

// Deliver wakes a receiver that waits.
func TestDeliverWakesALongPoll(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails"})
	got := make(chan []queue.Delivery, 1)
	go func() {
		d, err := s.outbox.Receive(s.ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
		assert.NoError(t, err)
		got <- d
	}()
	require.Eventually(t, func() bool {
		stats, err := s.outbox.inner.(*standard.Queue).Stats(s.ctx)
		return err == nil && stats.Waiting == 1
	}, 5*time.Second, time.Millisecond)
	s.commit(text1("wake up"))
	began := time.Now()
	require.NoError(t, s.st.Deliver(s.ctx))
	require.Equal(t, "wake up", (<-got)[0].Body)
	require.Less(t, time.Since(began), 5*time.Second)
}

// What Send refuses SendTx refuses, with the same errors, and writes nothing.
func TestSendTxChecks(t *testing.T) {
	for _, name := range []string{"mails", "mails.fifo"} {
		s := newShop(t, queue.Config{Name: name, MaxMessageSize: 1024})
		tx, err := s.db.Begin()
		require.NoError(t, err)
		for _, m := range []queue.Message{
			{},
			{Body: "x", GroupID: "a b", DeduplicationID: "x"},
			{Body: strings.Repeat("x", 1025), GroupID: "g"},
			{Body: "\x00", GroupID: "g"},
			{Body: "x", GroupID: "g", Delay: time.Hour},
			{Body: "x", DeduplicationID: "not on a Standard queue"},
			{Body: "x", Attributes: queue.NewAttributes(map[string]queue.Value{"": queue.String("x")})},
		} {
			_, want := s.outbox.inner.Send(s.ctx, m)
			require.Error(t, want)
			err := s.st.SendTx(s.ctx, tx, s.outbox, m)
			require.Equal(t, want, err)
		}
		require.NoError(t, tx.Commit())
		require.Empty(t, s.rows())
		stats, err := queue.Queue(s.outbox).(interface{ Unwrap() queue.Queue }).Unwrap().(queue.Inspector).Stats(s.ctx)
		require.NoError(t, err)
		require.Zero(t, stats.Accepted)
	}
}

func TestSendTxRefuses(t *testing.T) {
	s, other := newShop(t, queue.Config{Name: "mails"}), newShop(t, queue.Config{Name: "mails"})
	tx, err := other.db.Begin()
	require.NoError(t, err)
	require.ErrorContains(t, s.st.SendTx(s.ctx, tx, s.outbox, text1("x")), "another database")
	require.ErrorContains(t, s.st.SendTx(s.ctx, tx, other.outbox, text1("x")), "no outbox in this store")
	require.ErrorContains(t, s.st.SendTx(s.ctx, tx, s.outbox.inner, text1("x")), "no outbox in this store")
	require.NoError(t, tx.Rollback())
	require.ErrorIs(t, s.st.SendTx(s.ctx, tx, s.outbox, text1("x")), sql.ErrTxDone)

	_, err = s.st.WithOutbox(s.ctx, s.outbox.inner)
	require.ErrorIs(t, err, queue.ErrStoreLocked)
	_, err = s.st.WithOutbox(s.ctx, other.outbox.inner)
	require.ErrorContains(t, err, "lives in the store")
	memory, err := standard.New(queue.Config{Name: "mails"})
	require.NoError(t, err)
	_, err = s.st.WithOutbox(s.ctx, memory)
	require.ErrorContains(t, err, "lives in the store")

	// Through a wrapper it is found.
	tx, err = s.db.Begin()
	require.NoError(t, err)
	require.NoError(t, s.st.SendTx(s.ctx, tx, wrapper{s.outbox}, text1("x")))
	require.NoError(t, tx.Commit())
	require.Equal(t, []string{"x"}, s.receive())

	require.NoError(t, s.outbox.Close())
	tx, err = s.db.Begin()
	require.NoError(t, err)
	require.ErrorIs(t, s.st.SendTx(s.ctx, tx, s.outbox, text1("x")), queue.ErrClosed)
	require.NoError(t, tx.Rollback())
	_, err = s.st.Append(&queue.Batch{Changes: []queue.Change{{Queue: s.outbox.number, Drop: true}}})
	require.NoError(t, err)
	tx, err = s.db.Begin()
	require.NoError(t, err)
	require.ErrorIs(t, s.st.SendTx(s.ctx, tx, s.outbox, text1("x")), queue.ErrQueueDeleted)
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.st.Close())
	require.ErrorIs(t, s.st.SendTx(s.ctx, tx, s.outbox, text1("x")), queue.ErrClosed)
	require.ErrorIs(t, s.st.Deliver(s.ctx), queue.ErrClosed)
}

// Who closes the queue and forgets the outbox can open both again.
func TestOutboxEndsWithItsQueue(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails"})
	require.NoError(t, s.outbox.inner.Close())
	q, err := openQueue(s.ctx, s.st, queue.Config{Name: "mails"})
	require.NoError(t, err)
	s.outbox, err = s.st.WithOutbox(s.ctx, q)
	require.NoError(t, err)
	t.Cleanup(func() { s.outbox.Close() })
	s.commit(text1("x"))
	require.Equal(t, []string{"x"}, s.receive())
}

type wrapper struct{ queue.Queue }

func (w wrapper) Unwrap() queue.Queue { return w.Queue }

// A FIFO queue suppresses what repeats a message, in one transaction or over
// several, and the rows go.
func TestDuplicatesLeaveTheOutbox(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails.fifo"})
	m := func(body, id string) queue.Message {
		return queue.Message{Body: body, GroupID: "g", DeduplicationID: id}
	}
	s.commit(m("1", "a"), m("2", "a"), m("3", "b"))
	require.NoError(t, s.st.Deliver(s.ctx))
	s.commit(m("4", "b"), m("5", "a"))
	require.NoError(t, s.st.Deliver(s.ctx))
	require.Empty(t, s.rows())
	require.Equal(t, []string{"1", "3"}, s.receive())
	require.Empty(t, s.st.tickets)
}

// A message that the queue has come to refuse is set aside with the reason; the
// others of its transaction and later ones are delivered, and it is tried again
// when the queue is opened.
func TestRefusedMessages(t *testing.T) {
	for _, name := range []string{"mails", "mails.fifo"} {
		cfg := queue.Config{Name: name}
		s := newShop(t, cfg)
		m := func(body string) queue.Message {
			if name == "mails" {
				return queue.Message{Body: body}
			}
			return queue.Message{Body: body, GroupID: "g", DeduplicationID: fmt.Sprintf("%d-%.10s", len(body), body)}
		}
		large := strings.Repeat("x", 2000)
		s.commit(m("1"), m(large), m("2"), m(large+"!"), m("3"))
		lower := cfg
		lower.MaxMessageSize = 1024
		require.NoError(t, s.outbox.inner.(queue.Configurable).Reconfigure(s.ctx, lower))

		err := s.st.Deliver(s.ctx)
		require.ErrorIs(t, err, queue.ErrMessageTooLarge)
		require.NoError(t, s.st.Deliver(s.ctx), "told once")
		require.Equal(t, []string{"1", "2", "3"}, s.receive())
		refused, err := s.outbox.Refused(s.ctx)
		require.NoError(t, err)
		require.Len(t, refused, 2)
		require.Equal(t, m(large), refused[0].Message)
		require.Contains(t, refused[0].Reason, "too large")
		_, err = s.outbox.Send(s.ctx, m("4"))
		require.NoError(t, err)

		_, err = s.db.Exec(`DELETE FROM restante_outbox WHERE id = ?`, refused[1].Row)
		require.NoError(t, err)
		path := s.st.path
		s.close()
		s = openShop(t, path, lower)
		require.Equal(t, []string{large}, s.rows(), "and refused again")
		s.close()
		s = openShop(t, path, cfg)
		require.Equal(t, []string{"4", large}, s.receive())
	}
}

// A message that doesn't fit stays in the outbox until there is room, and holds
// up no Receive and no Delete.
func TestOutboxOfAFullStore(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails"})
	s.commit(text1("before"))
	require.NoError(t, s.st.Deliver(s.ctx))
	s.commit(text1("waits"))
	setFull(s.st, true)
	require.ErrorIs(t, s.st.Deliver(s.ctx), queue.ErrStoreFull)
	tx, err := s.db.Begin()
	require.NoError(t, err)
	require.ErrorIs(t, s.st.SendTx(s.ctx, tx, s.outbox, text1("refused")), queue.ErrStoreFull)
	require.NoError(t, tx.Commit())
	_, err = s.outbox.Send(s.ctx, text1("refused"))
	require.ErrorIs(t, err, queue.ErrStoreFull)
	require.Equal(t, []string{"before"}, s.receive())
	require.Equal(t, []string{"waits"}, s.rows())
	setFull(s.st, false)
	require.Equal(t, []string{"waits"}, s.receive())
}

// Whoever takes over, each message comes once; those of one sender in order.
func TestOutboxConcurrently(t *testing.T) {
	const senders, each = 4, 60
	for _, name := range []string{"mails", "mails.fifo"} {
		s := newShop(t, queue.Config{Name: name, VisibilityTimeout: 10 * time.Minute})
		var sending, receiving sync.WaitGroup
		for k := range senders {
			sending.Go(func() {
				for i := range each {
					m := queue.Message{Body: fmt.Sprintf("%d %03d", k, i), GroupID: fmt.Sprint(k)}
					if name == "mails.fifo" {
						m.DeduplicationID = fmt.Sprintf("%d-%d", k, i)
					}
					if i%5 == 4 {
						_, err := s.outbox.Send(s.ctx, m)
						assert.NoError(t, err)
						continue
					}
					tx, err := s.db.Begin()
					if assert.NoError(t, err) && assert.NoError(t, s.st.SendTx(s.ctx, tx, s.outbox, m)) && i%7 == 3 {
						assert.NoError(t, tx.Rollback())
						continue
					}
					assert.NoError(t, tx.Commit())
					if i%3 == 0 {
						assert.NoError(t, s.st.Deliver(s.ctx))
					}
				}
			})
		}
		var mu sync.Mutex
		got := map[string][]string{} // by sender
		ctx, cancel := context.WithCancel(s.ctx)
		for range 3 {
			receiving.Go(func() {
				for ctx.Err() == nil {
					ds, err := s.outbox.Receive(s.ctx, queue.ReceiveOptions{Max: 10})
					assert.NoError(t, err)
					for _, d := range ds {
						mu.Lock()
						got[d.Body[:1]] = append(got[d.Body[:1]], d.Body[2:])
						mu.Unlock()
						assert.NoError(t, s.outbox.Delete(s.ctx, d.Receipt))
					}
				}
			})
		}
		sending.Wait()
		require.NoError(t, s.st.Deliver(s.ctx))
		assert.Eventually(t, func() bool {
			stats, err := queue.Queue(s.outbox.inner).(queue.Inspector).Stats(s.ctx)
			return err == nil && stats.Visible+stats.InFlight == 0
		}, 20*time.Second, 5*time.Millisecond)
		cancel()
		receiving.Wait()
		for k := range senders {
			var want []string
			for i := range each {
				if i%5 == 4 || i%7 != 3 {
					want = append(want, fmt.Sprintf("%03d", i))
				}
			}
			is := got[fmt.Sprint(k)]
			if name == "mails" {
				slices.Sort(is) // receivers note theirs in any order
			}
			require.Equal(t, want, is, "sender %d of %s", k, name)
		}
		require.Empty(t, s.rows())
		require.Empty(t, s.st.tickets)
	}
}

// A body that was received and is sent on has an address that a ticket had; it
// is a message of its own all the same.
func TestTicketsAreRedeemedOnce(t *testing.T) {
	s := newShop(t, queue.Config{Name: "mails"})
	for range 20 {
		s.commit(text1("a"), text1("a"), text1("b"))
		got, err := s.outbox.Receive(s.ctx, queue.ReceiveOptions{Max: 10})
		require.NoError(t, err)
		require.Len(t, got, 3)
		s.commit(text1("c"))
		_, err = s.outbox.SendBatch(s.ctx, []queue.Message{{Body: got[0].Body}, {Body: got[1].Body}})
		require.NoError(t, err)
		for _, d := range got {
			require.NoError(t, s.outbox.Delete(s.ctx, d.Receipt))
		}
		require.Equal(t, []string{"c", "a", "a"}, s.receive())
	}
}

// A failure at any point of taking over leaves each message in one place.
func TestTakeoverFails(t *testing.T) {
	for _, point := range []string{pointRead, pointBegun, pointSyncing, pointCommitted, pointTaken} {
		s := newShop(t, queue.Config{Name: "mails"})
		s.commit(text1("1"), text1("2"))
		s.st.hook = func(p string) error {
			if p == point {
				return errors.New("injected")
			}
			return nil
		}
		require.Error(t, s.st.Deliver(s.ctx), point)
		path := s.st.path
		_ = s.outbox.Close()
		require.NoError(t, s.st.Close())
		s = openShop(t, path, queue.Config{Name: "mails"})
		require.Equal(t, []string{"1", "2"}, s.receive(), point)
		s.close()
	}
}
