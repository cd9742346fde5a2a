package queuetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// modelScript drives one modelQueue by hand, in the words of the tables of
// Amazon's behaviour.
type modelScript struct {
	*testing.T
	q        *modelQueue
	receives int64
}

func newModelScript(t *testing.T, kind queue.Kind, cfg queue.Config) *modelScript {
	return &modelScript{T: t, q: newModelQueue("q", kind, newModelConfig(cfg), modelEpoch)}
}

// send adds a message that is durable at once.
func (s *modelScript) send(label, group string, delay time.Duration) *modelMessage {
	m := &modelMessage{label: label, id: queue.MessageID([]byte(label + "................")[:16])}
	m.msg = queue.Message{Body: label, GroupID: group, Delay: delay}
	s.q.send(m)
	m.pending = false
	return m
}

// receive takes those messages, as a queue would that answers so; the model
// must agree or, with wrong, must not.
func (s *modelScript) receive(visibility time.Duration, most int, ms ...*modelMessage) error {
	w := &modelWaiter{label: "r", max: most, visibility: modelMillis(visibility), arrived: s.q.now, deadline: s.q.now, done: true, doneAt: s.q.now}
	for _, m := range ms {
		w.got = append(w.got, s.delivery(m, w))
	}
	s.q.waiters = append(s.q.waiters, w)
	return s.q.settle(func(m *modelMessage) bool { return !s.q.poisoned(m) })
}

func (s *modelScript) delivery(m *modelMessage, w *modelWaiter) queue.Delivery {
	at := func(ms int64) time.Time { return time.UnixMilli(ms) }
	s.receives++
	first := m.firstAt
	if first == 0 {
		first = s.q.now
	}
	return queue.Delivery{
		Message: m.msg, ID: m.id, ReceiveCount: m.receives + 1, DeadLetterSource: m.source, DeadLetterReason: m.reason,
		SentAt: at(m.sentAt), FirstReceivedAt: at(first), VisibleAt: at(s.q.now + w.visibility),
		Receipt: queue.NewReceipt(queue.ReceiptFields{Seq: 1, At: s.receives}),
	}
}

func (s *modelScript) sleep(d time.Duration) {
	s.q.now += modelMillis(d)
	s.q.lapse()
}

// last returns the receipt of m's latest receive.
func (s *modelScript) last(m *modelMessage) *modelReceipt {
	for i := len(s.q.receipts) - 1; i >= 0; i-- {
		if s.q.receipts[i].m == m {
			return s.q.receipts[i]
		}
	}
	s.Fatalf("%s was not received", m.label)
	return nil
}

func TestModelStandardOrder(t *testing.T) {
	s := newModelScript(t, queue.Standard, queue.Config{})
	a, b, _ := s.send("a", "", 0), s.send("b", "", time.Second), s.send("c", "", 0)
	require.NoError(t, s.receive(10*time.Second, 1, a))
	require.Error(t, s.receive(10*time.Second, 1, b), "b is delayed")
	s = newModelScript(t, queue.Standard, queue.Config{})
	a, b, c := s.send("a", "", 0), s.send("b", "", time.Second), s.send("c", "", 0)
	require.NoError(t, s.receive(10*time.Second, 1, a))
	require.NoError(t, s.receive(10*time.Second, 10, c))
	s.sleep(time.Second)
	require.Equal(t, queue.Visible, s.q.state(b))
	s.sleep(9 * time.Second)
	require.NoError(t, s.receive(0, 2, a, b), "what came back goes first")
	require.Equal(t, 2, a.receives)
	require.Equal(t, queue.Stats{Accepted: 3, Visible: 3, Received: 4}, s.q.counters(), "nothing hides what was received with None")
}

// The rows of the table of receipts: on a Standard queue all of a message's
// receipts delete it, on a FIFO queue its current one.
func TestModelReceipts(t *testing.T) {
	for name, c := range map[string]struct {
		kind                    queue.Kind
		fenced                  bool
		expired, superseded     error
		hideExpired, hideOlder  error
		deleteGone, hideDeleted error
	}{
		"Standard": {kind: queue.Standard, hideDeleted: queue.ErrMessageGone},
		"fenced": {
			kind: queue.Standard, fenced: true, expired: queue.ErrReceiptExpired, superseded: queue.ErrReceiptExpired,
			hideExpired: queue.ErrReceiptExpired, hideOlder: queue.ErrReceiptExpired, hideDeleted: queue.ErrMessageGone,
		},
		"FIFO": {
			kind: queue.FIFO, expired: queue.ErrReceiptExpired, superseded: queue.ErrReceiptExpired,
			hideExpired: queue.ErrReceiptExpired, hideOlder: queue.ErrReceiptExpired, hideDeleted: queue.ErrMessageGone,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newModelScript(t, c.kind, queue.Config{FencedReceipts: c.fenced})
			a := s.send("a", "g", 0)
			require.NoError(t, s.receive(time.Second, 1, a))
			older := s.last(a)
			require.Equal(t, modelVerdict{nil}, s.q.mayDelete(older))
			s.sleep(time.Second)
			require.Equal(t, modelVerdict{c.expired}, s.q.mayDelete(older))
			require.Equal(t, modelVerdict{c.hideExpired}, s.q.mayHide(older, time.Minute))
			require.NoError(t, s.receive(queue.MaxVisibility, 1, a))
			require.Equal(t, modelVerdict{c.superseded}, s.q.mayDelete(older))
			require.Equal(t, modelVerdict{c.hideOlder}, s.q.mayHide(older, time.Minute))
			s.q.remove(a, &s.q.stats.Deleted)
			require.Equal(t, modelVerdict{c.deleteGone}, s.q.mayDelete(s.last(a)))
			require.Equal(t, modelVerdict{c.hideDeleted}, s.q.mayHide(s.last(a), 0))
		})
	}
}

func TestModelReceiptLifetimeAndCap(t *testing.T) {
	s := newModelScript(t, queue.Standard, queue.Config{})
	a := s.send("a", "", 0)
	require.NoError(t, s.receive(time.Second, 1, a))
	s.sleep(time.Millisecond)
	require.Equal(t, modelVerdict{queue.ErrInvalidParameter}, s.q.mayHide(s.last(a), 12*time.Hour), "12 hours count from the receive")
	require.Equal(t, modelVerdict{nil}, s.q.mayHide(s.last(a), 12*time.Hour-time.Millisecond))
	require.Equal(t, modelVerdict{queue.ErrInvalidParameter}, s.q.mayHide(s.last(a), -1))
	s.sleep(12*time.Hour - 2*time.Millisecond)
	require.Equal(t, modelVerdict{nil}, s.q.mayDelete(s.last(a)))
	s.sleep(2 * time.Millisecond)
	require.Equal(t, modelVerdict{queue.ErrReceiptExpired}, s.q.mayDelete(s.last(a)))
}

func TestModelRetentionCountsInFlight(t *testing.T) {
	s := newModelScript(t, queue.Standard, queue.Config{Retention: time.Minute})
	a := s.send("a", "", 0)
	require.NoError(t, s.receive(time.Hour, 1, a))
	s.sleep(time.Minute - 1)
	require.Equal(t, queue.Stats{Accepted: 1, Expired: 1, Received: 1}, s.q.counters(), "durations round up")
	require.Equal(t, modelVerdict{nil}, s.q.mayDelete(s.last(a)))
}

func TestModelDeadLetters(t *testing.T) {
	s := newModelScript(t, queue.Standard, queue.Config{DeadLetter: queue.DeadLetter{MaxReceives: 1}})
	s.q.dead = newModelQueue("dead", queue.Standard, newModelConfig(queue.Config{}), modelEpoch)
	a, b := s.send("a", "", 0), s.send("b", "", 0)
	require.NoError(t, s.receive(0, 1, a))
	require.Empty(t, s.q.dead.messages, "nothing moves before a receive picks it")
	require.NoError(t, s.receive(0, 1, b))
	require.Len(t, s.q.dead.messages, 1)
	m := s.q.dead.messages[0]
	require.Equal(t, []any{a.id, 1, "q", a.sentAt}, []any{m.id, m.receives, m.source, m.sentAt})
}

// Recorded runs of Amazon: three messages of a group received together, whose
// timeouts expire except the extended one's.
func TestModelGroupPrefix(t *testing.T) {
	for extended, want := range map[int]int{0: 0, 1: 1, 2: 2} {
		s := newModelScript(t, queue.FIFO, queue.Config{})
		ms := []*modelMessage{s.send("a", "g", 0), s.send("b", "g", 0), s.send("c", "g", 0)}
		require.NoError(t, s.receive(time.Second, 10, ms...))
		s.q.hide(ms[extended], 5000)
		s.sleep(time.Second)
		require.Equal(t, ms[:want], append([]*modelMessage{}, s.q.receivable()...))
	}
}

func TestModelJudgesGroups(t *testing.T) {
	setUp := func() (s *modelScript, a1, b1, a2 *modelMessage) {
		s = newModelScript(t, queue.FIFO, queue.Config{})
		return s, s.send("a1", "a", 0), s.send("b1", "b", 0), s.send("a2", "a", 0)
	}
	s, a1, b1, a2 := setUp()
	require.NoError(t, s.receive(time.Second, 10, a1, a2, b1))
	s, a1, b1, a2 = setUp()
	require.NoError(t, s.receive(time.Second, 10, b1, a1, a2))
	s, a1, _, _ = setUp()
	require.NoError(t, s.receive(time.Second, 1, a1))
	s, a1, b1, a2 = setUp()
	require.Error(t, s.receive(time.Second, 10, a1, b1, a2), "a receive stays with its group")
	s, _, b1, a2 = setUp()
	require.Error(t, s.receive(time.Second, 2, a2, b1), "the head goes first")
	s, a1, _, a2 = setUp()
	require.Error(t, s.receive(time.Second, 10, a1, a2), "b1 was left out")
	s, a1, _, _ = setUp()
	require.NoError(t, s.q.settle(nil))
	require.NoError(t, s.receive(0, 1, a1))
	require.Error(t, s.receive(0, 1, a1), "group b has its turn")
}

func TestModelDeduplication(t *testing.T) {
	s := newModelScript(t, queue.FIFO, queue.Config{ContentDeduplication: true})
	a := s.send("a", "g", 0)
	s.q.remember(a)
	hash := s.q.dedupKey(&queue.Message{Body: "a"}).id
	for name, again := range map[string]queue.Message{
		"same body":        {Body: "a", GroupID: "g"},
		"another group":    {Body: "a", GroupID: "h"},
		"hash as explicit": {Body: "b", DeduplicationID: hash},
	} {
		o, unsure := s.q.original(&again)
		require.NotNil(t, o, name)
		require.False(t, unsure, name)
	}
	o, _ := s.q.original(&queue.Message{Body: "a", DeduplicationID: "explicit"})
	require.Nil(t, o, "an explicit ID wins")
	s.q.remove(a, &s.q.stats.Deleted)
	s.sleep(5*time.Minute - time.Millisecond)
	o, _ = s.q.original(&a.msg)
	require.NotNil(t, o, "deleting the original changes nothing")
	s.sleep(2 * time.Millisecond)
	o, _ = s.q.original(&a.msg)
	require.Nil(t, o, "five minutes")

	s.q.cfg.groupScope = true
	s.q.remember(a)
	o, _ = s.q.original(&queue.Message{Body: "a", GroupID: "h"})
	require.Nil(t, o, "the scope is the group")
	s.q.purge()
	o, _ = s.q.original(&a.msg)
	require.Nil(t, o, "a purge forgets")
}

func TestModelAttempts(t *testing.T) {
	s := newModelScript(t, queue.FIFO, queue.Config{})
	a := s.send("a", "g", 0)
	require.NoError(t, s.receive(30*time.Second, 1, a))
	attempt := &modelAttempt{at: s.q.now, got: []queue.Delivery{{Receipt: a.receipt}}, taken: []*modelMessage{a}}

	fresh, verdict, ok := s.q.repeatable(attempt)
	require.Equal(t, []any{false, modelVerdict{nil}, true}, []any{fresh, verdict, ok})
	a.changed = true
	_, verdict, ok = s.q.repeatable(attempt)
	require.Equal(t, []any{modelVerdict{queue.ErrAttemptInvalid}, true}, []any{verdict, ok})
	s.sleep(5*time.Minute + time.Millisecond)
	fresh, _, ok = s.q.repeatable(attempt)
	require.True(t, fresh && ok)
	fresh, _, _ = s.q.repeatable(nil)
	require.True(t, fresh, "an ID never used")
}

func TestModelDelayOfFIFOQueueIsRetroactive(t *testing.T) {
	s := newModelScript(t, queue.FIFO, queue.Config{Delay: time.Minute})
	a := s.send("a", "g", queue.None)
	require.Equal(t, queue.Delayed, s.q.state(a))
	s.sleep(time.Second)
	s.q.cfg.delay = 1000
	s.q.reDelay()
	require.Equal(t, queue.Visible, s.q.state(a))
}

// After a crash the unacknowledged sends that survive are the first ones.
func TestModelSurvival(t *testing.T) {
	peeked := func(ms ...*modelMessage) (all []queue.Peeked) {
		for _, m := range ms {
			all = append(all, queue.Peeked{Message: m.msg, ID: m.id})
		}
		return all
	}
	none := func(*modelMessage) int { return 0 }
	for name, c := range map[string]struct {
		survivors string
		recovered uint64
		ok        bool
	}{
		"all":                    {"abcd", 4, true},
		"first unacknowledged":   {"abc", 3, true},
		"acknowledged only":      {"ab", 2, true},
		"a later one only":       {"abd", 3, false},
		"an acknowledged lost":   {"b", 1, false},
		"counters out of place":  {"ab", 3, false},
		"a deleted one is back":  {"abe", 3, false},
		"an unacknowledged loss": {"abx", 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newModelScript(t, queue.Standard, queue.Config{})
			all := map[rune]*modelMessage{}
			for _, label := range "abcdex" {
				all[label] = s.send(string(label), "", 0)
			}
			s.q.remove(all['e'], &s.q.stats.Deleted)
			s.q.remove(all['x'], &s.q.stats.Deleted)
			all['c'].pending, all['d'].pending = true, true
			all['c'].batch, all['d'].batch = 1, 2
			var left []*modelMessage
			for _, label := range c.survivors {
				left = append(left, all[label])
			}
			err := s.q.survive(peeked(left...), queue.Stats{Recovered: c.recovered}, []*modelMessage{all['x']}, none)
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}
