package queuetest

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
)

// An officeFlaw is one way of breaking what [TestAtLeastOnce] asks for, and the
// cases that must notice. What it leaves nil is as in a sound queue.
type officeFlaw struct {
	name  string
	kind  queue.Kind
	cases []string // their names after AtLeastOnce/

	config func(cfg *queue.Config)
	send   func(q *flawedQueue, m queue.Message) (queue.Sent, error) // also each message of a batch
	hand   func(q *flawedQueue, ds []queue.Delivery) []queue.Delivery
	delete func(q *flawedQueue, r queue.Receipt) error
	change func(q *flawedQueue, r queue.Receipt, d time.Duration) error
	stats  func(s *queue.Stats)
}

var officeFlaws = []officeFlaw{
	{
		name: "drops an accepted message", kind: queue.Standard, cases: []string{"nothing-lost", "crowd"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			if q.count("sent")%17 == 5 {
				return queue.Sent{ID: queue.MessageID{1: 1, 15: byte(q.count("dropped"))}}, nil
			}
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "drops an accepted message of a group", kind: queue.FIFO, cases: []string{"nothing-lost", "group-order"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			if q.count("sent") == 17 {
				return queue.Sent{ID: queue.MessageID{1: 1}, Sequence: 17}, nil
			}
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "invents a message", kind: queue.Standard, cases: []string{"nothing-lost"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			if q.count("sent") == 7 {
				_, _ = q.Queue.Send(context.Background(), queue.Message{Body: "invented"})
			}
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "enqueues a message twice", kind: queue.Standard, cases: []string{"nothing-lost", "crowd"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			if q.count("sent") == 7 {
				_, _ = q.Queue.Send(context.Background(), m)
			}
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "tells another ID", kind: queue.Standard, cases: []string{"nothing-lost"},
		hand: func(_ *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			for i := range ds {
				ds[i].ID[0]++
			}
			return ds
		},
	},
	{
		name: "changes a body", kind: queue.Standard, cases: []string{"nothing-lost"},
		hand: func(_ *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			for i := range ds {
				ds[i].Body = strings.ReplaceAll(ds[i].Body, "\r\n", "\n")
			}
			return ds
		},
	},
	{
		name: "changes attributes", kind: queue.FIFO, cases: []string{"nothing-lost"},
		hand: func(_ *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			for i := range ds {
				ds[i].Attributes = ds[i].Attributes.Select(func(name string) bool { return name != "binary" })
			}
			return ds
		},
	},
	{
		name: "forgets the tenant", kind: queue.Standard, cases: []string{"nothing-lost"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			m.GroupID = ""
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "forgets the trace header", kind: queue.Standard, cases: []string{"nothing-lost"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			m.TraceHeader = ""
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "throttles for ever", kind: queue.Standard, cases: []string{"nothing-lost"},
		delete: func(*flawedQueue, queue.Receipt) error { return queue.ErrThrottled },
	},
	{
		name: "loses a message whose holder timed out", kind: queue.Standard, cases: []string{"comes-back", "crowd"},
		hand: loseRedelivered,
	},
	{
		name: "loses a message whose holder timed out, in FIFO", kind: queue.FIFO, cases: []string{"comes-back", "crowd"},
		hand: loseRedelivered,
	},
	{
		name: "counts no receives", kind: queue.Standard, cases: []string{"comes-back"},
		hand: func(_ *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			for i := range ds {
				ds[i].ReceiveCount = 1
			}
			return ds
		},
	},
	{
		name: "delivers a deleted message for ever", kind: queue.Standard, cases: []string{"deleted-is-gone", "nothing-lost"},
		delete: func(q *flawedQueue, r queue.Receipt) error {
			if f, _ := r.Fields(); f.Seq == 3 {
				return nil
			}
			return q.Queue.Delete(context.Background(), r)
		},
	},
	{
		name: "brings a deleted message back after hours", kind: queue.Standard, cases: []string{"deleted-is-gone"},
		delete: func(q *flawedQueue, r queue.Receipt) error {
			if f, _ := r.Fields(); f.Seq == 2 {
				return q.Queue.ChangeVisibility(context.Background(), r, 11*time.Hour)
			}
			return q.Queue.Delete(context.Background(), r)
		},
	},
	{
		name: "delivers before the delay", kind: queue.Standard, cases: []string{"delayed"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			if m.Delay > time.Millisecond {
				m.Delay -= time.Millisecond
			}
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "delivers before the queue's delay", kind: queue.FIFO, cases: []string{"delayed"},
		config: func(cfg *queue.Config) { cfg.Delay = max(0, cfg.Delay-time.Millisecond) },
	},
	{
		name: "releases nothing", kind: queue.Standard, cases: []string{"released"},
		change: func(q *flawedQueue, r queue.Receipt, d time.Duration) error {
			if d == 0 {
				return nil
			}
			return q.Queue.ChangeVisibility(context.Background(), r, d)
		},
	},
	{
		name: "loses what is released", kind: queue.FIFO, cases: []string{"released", "crowd"},
		change: func(q *flawedQueue, r queue.Receipt, d time.Duration) error {
			if d == 0 {
				return q.Queue.Delete(context.Background(), r)
			}
			return q.Queue.ChangeVisibility(context.Background(), r, d)
		},
	},
	{
		name: "extends nothing", kind: queue.Standard, cases: []string{"extended"},
		change: func(q *flawedQueue, r queue.Receipt, d time.Duration) error {
			if d > 0 {
				return nil
			}
			return q.Queue.ChangeVisibility(context.Background(), r, d)
		},
	},
	{
		name: "loses what is extended", kind: queue.Standard, cases: []string{"extended"},
		change: func(q *flawedQueue, r queue.Receipt, d time.Duration) error {
			if d > 0 {
				return q.Queue.Delete(context.Background(), r)
			}
			return q.Queue.ChangeVisibility(context.Background(), r, d)
		},
	},
	{
		name: "keeps what is sent from those who wait", kind: queue.Standard, cases: []string{"long-poll"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			if s, err := q.Queue.(queue.Inspector).Stats(context.Background()); err == nil && s.Waiting > 0 {
				m.Delay = 10 * time.Minute
			}
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "dead-letters early", kind: queue.Standard, cases: []string{"dead-letter"},
		config: func(cfg *queue.Config) { cfg.DeadLetter.MaxReceives = max(0, cfg.DeadLetter.MaxReceives-1) },
	},
	{
		name: "dead-letters early, in FIFO", kind: queue.FIFO, cases: []string{"dead-letter"},
		config: func(cfg *queue.Config) { cfg.DeadLetter.MaxReceives = max(0, cfg.DeadLetter.MaxReceives-1) },
	},
	{
		name: "never dead-letters", kind: queue.Standard, cases: []string{"dead-letter"},
		config: func(cfg *queue.Config) { cfg.DeadLetter = queue.DeadLetter{} },
	},
	{
		name: "loses dead letters", kind: queue.Standard, cases: []string{"dead-letter", "dead-letter-crowd"},
		config: func(cfg *queue.Config) { adoptOtherwise(cfg, func(ms []queue.Record) []queue.Record { return ms[1:] }) },
	},
	{
		name: "dead-letters twice", kind: queue.Standard, cases: []string{"dead-letter"},
		config: func(cfg *queue.Config) {
			adoptOtherwise(cfg, func(ms []queue.Record) []queue.Record { return append(ms[:len(ms):len(ms)], ms[0]) })
		},
	},
	{
		name: "miscounts", kind: queue.Standard, cases: []string{"nothing-lost"},
		stats: func(s *queue.Stats) { s.Deleted-- },
	},
	{
		name: "counts what is not there", kind: queue.Standard, cases: []string{"nothing-lost"},
		stats: func(s *queue.Stats) { s.InFlight, s.Accepted = 1, s.Accepted+1 },
	},
	{
		name: "swaps a group's order", kind: queue.FIFO, cases: []string{"group-order", "crowd"},
		hand: func(_ *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			for i := range max(0, len(ds)-1) {
				if ds[i].GroupID == ds[i+1].GroupID {
					ds[i], ds[i+1] = ds[i+1], ds[i]
					break
				}
			}
			return ds
		},
	},
	{
		name: "delivers a group's messages to several", kind: queue.FIFO, cases: []string{"group-held"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			m.GroupID += fmt.Sprintf("/%d", q.count("sent"))
			return q.Queue.Send(context.Background(), m)
		},
		hand: func(_ *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			for i := range ds {
				ds[i].GroupID, _, _ = strings.Cut(ds[i].GroupID, "/")
			}
			return ds
		},
	},
	{
		name: "delivers what is held to somebody else", kind: queue.FIFO, cases: []string{"group-held"},
		hand: func(q *flawedQueue, ds []queue.Delivery) []queue.Delivery {
			if len(ds) > 0 && q.count("handed") == 1 {
				_ = q.Queue.ChangeVisibility(context.Background(), ds[0].Receipt, 0)
			}
			return ds
		},
	},
	{
		name: "duplicates in FIFO", kind: queue.FIFO, cases: []string{"deduplicated"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			m.DeduplicationID += fmt.Sprintf("/%d", q.count("sent"))
			return q.Queue.Send(context.Background(), m)
		},
	},
	{
		name: "duplicates in FIFO and does not say so", kind: queue.FIFO, cases: []string{"deduplicated"},
		send: func(q *flawedQueue, m queue.Message) (queue.Sent, error) {
			original := m.DeduplicationID
			m.DeduplicationID += fmt.Sprintf("/%d", q.count("sent"))
			sent, err := q.Queue.Send(context.Background(), m)
			q.mu.Lock()
			defer q.mu.Unlock()
			if first, ok := q.answers[original]; ok {
				first.Duplicate = true
				return first, err
			}
			q.answers[original] = sent
			return sent, err
		},
	},
}

// loseRedelivered deletes one message that is received for the second time.
func loseRedelivered(q *flawedQueue, ds []queue.Delivery) []queue.Delivery {
	for i := range ds {
		if ds[i].ReceiveCount == 2 && q.count("back") == 3 {
			_ = q.Queue.Delete(context.Background(), ds[i].Receipt)
			return append(ds[:i], ds[i+1:]...)
		}
	}
	return ds
}

// adoptOtherwise changes what the dead-letter queue takes over.
func adoptOtherwise(cfg *queue.Config, change func(ms []queue.Record) []queue.Record) {
	if cfg.DeadLetter.Target != nil {
		cfg.DeadLetter.Target = &flawedTarget{cfg.DeadLetter.Target, change}
	}
}

type flawedTarget struct {
	queue.Adopter
	change func(ms []queue.Record) []queue.Record
}

func (q *flawedTarget) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	if ms = q.change(ms); len(ms) == 0 {
		return nil
	}
	return q.Adopter.Adopt(ctx, ms, leaving)
}

// A flawedQueue is a sound queue with a flaw.
type flawedQueue struct {
	queue.Queue
	flaw *officeFlaw

	mu      sync.Mutex // guards the fields below
	counts  map[string]int
	answers map[string]queue.Sent
}

// count counts calls of itself by what.
func (q *flawedQueue) count(what string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts[what]++
	return q.counts[what]
}

func (q *flawedQueue) Unwrap() queue.Queue { return q.Queue }

func (q *flawedQueue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	if q.flaw.send == nil {
		return q.Queue.Send(ctx, m)
	}
	return q.flaw.send(q, m)
}

func (q *flawedQueue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	if q.flaw.send == nil {
		return q.Queue.SendBatch(ctx, ms)
	}
	sent := make([]queue.Sent, len(ms))
	for i, m := range ms {
		var err error
		if sent[i], err = q.flaw.send(q, m); err != nil {
			return nil, err
		}
	}
	return sent, nil
}

func (q *flawedQueue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := q.Queue.Receive(ctx, o)
	if q.flaw.hand != nil {
		ds = q.flaw.hand(q, ds)
	}
	return ds, err
}

func (q *flawedQueue) Delete(ctx context.Context, r queue.Receipt) error {
	if q.flaw.delete == nil {
		return q.Queue.Delete(ctx, r)
	}
	return q.flaw.delete(q, r)
}

func (q *flawedQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	return toyBatch(len(rs), func(i int) error { return q.Delete(ctx, rs[i]) })
}

func (q *flawedQueue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	if q.flaw.change == nil {
		return q.Queue.ChangeVisibility(ctx, r, d)
	}
	return q.flaw.change(q, r, d)
}

func (q *flawedQueue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	return toyBatch(len(cs), func(i int) error { return q.ChangeVisibility(ctx, cs[i].Receipt, cs[i].Timeout) })
}

func (q *flawedQueue) Stats(ctx context.Context) (queue.Stats, error) {
	s, err := q.Queue.(queue.Inspector).Stats(ctx)
	if q.flaw.stats != nil {
		q.flaw.stats(&s)
	}
	return s, err
}

func (q *flawedQueue) Peek(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	return q.Queue.(queue.Inspector).Peek(ctx)
}

func (f *officeFlaw) harness() Harness {
	return Harness{Kind: f.kind, New: func(_ *testing.T, cfg queue.Config) (queue.Queue, error) {
		if f.config != nil {
			f.config(&cfg)
		}
		q, err := newOfKind(f.kind, cfg)
		if err != nil {
			return nil, err
		}
		return &flawedQueue{Queue: q, flaw: f, counts: map[string]int{}, answers: map[string]queue.Sent{}}, nil
	}}
}

// flawVariable names the flaw that a helper process has to show.
const flawVariable = "RESTANTE_TEST_FLAW"

// Every flaw is reported by each of the cases that are about it, with their rule.
// A case that fails fails its test, so it does so in a process of its own.
func TestAtLeastOnceFindsFlaws(t *testing.T) {
	if name, ok := os.LookupEnv(flawVariable); ok {
		for i := range officeFlaws {
			if officeFlaws[i].name == name {
				TestAtLeastOnce(t, officeFlaws[i].harness())
			}
		}
		return
	}
	rules := map[string]string{}
	for _, c := range allOfficeCases() {
		rules[c.name] = c.rule
	}
	caught := map[string]bool{}
	for _, f := range officeFlaws {
		for _, name := range f.cases {
			caught["AtLeastOnce/"+name] = true
			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				rule := rules["AtLeastOnce/"+name]
				run := exec.Command(os.Args[0], "-test.timeout=60s", "-test.run=^TestAtLeastOnceFindsFlaws$/^AtLeastOnce$/^"+name+"$")
				run.Env = append(os.Environ(), flawVariable+"="+f.name)
				text, err := run.CombinedOutput()
				switch output := string(text); {
				case err == nil:
					t.Errorf("the case does not notice: %s", output)
				case strings.Contains(output, "panic: ") || !strings.Contains(output, "rule broken: "+rule+"\n"):
					t.Errorf("the case does not say that its rule %q is broken: %s", rule, output)
				case testing.Verbose():
					t.Log(output)
				}
			})
		}
	}
	for name := range rules {
		if !caught[name] {
			t.Errorf("no flaw is caught by %s", name)
		}
	}
}
