package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

func nameOf(kind queue.Kind, name string) string {
	if kind == queue.FIFO {
		return name + ".fifo"
	}
	return name
}

// A store knows a queue by its ARN, if it has one, and queues of one name may live
// there side by side.
func TestARNIsTheNameInAStore(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := queuetest.NewMemStore()
		main := nameOf(kind, "main")
		cfgs := []queue.Config{
			{Name: main, ARN: "arn:1:main"},
			{Name: main, ARN: "arn:2:main"},
			{Name: main},
			{ARN: "arn:3:main"},
		}
		for round := range 2 {
			var all []engine
			for i, cfg := range cfgs {
				q, err := open(t.Context(), kind, st, cfg)
				if err != nil {
					t.Fatal(err)
				}
				if got := q.Config(); got.ARN != cfg.ARN || got.Name != cfg.Name {
					t.Errorf("Config returns the name %q and the ARN %q", got.Name, got.ARN)
				}
				if round == 0 {
					send(t, q, numbered(4)[i])
				}
				all = append(all, q)
			}
			for i, q := range all {
				if n := stats(t, q).Visible; n != 1 {
					t.Errorf("queue %d has %d messages", i, n)
				}
				if round > 0 {
					holds(t, q, numbered(4)[i])
				}
				if err := q.Close(); err != nil {
					t.Error(err)
				}
			}
			for i := range cfgs[:2] { // whatever the name
				cfgs[i].Name = nameOf(kind, "other")
			}
		}
		if _, err := open(t.Context(), kind, st, queue.Config{}); !errors.Is(err, queue.ErrMissingParameter) {
			t.Errorf("Open without a name and an ARN returns %v", err)
		}
	})
}

// Queues are attached by their ARNs: one ARN once.
func TestARNIsAttachedOnce(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := queuetest.NewMemStore()
		cfg := queue.Config{Name: nameOf(kind, "main"), ARN: "arn:main"}
		newQueue(t, kind, st, cfg)
		cfg.Name = nameOf(kind, "other")
		if _, err := open(t.Context(), kind, st, cfg); !errors.Is(err, queue.ErrStoreLocked) || !strings.Contains(err.Error(), "arn:main") {
			t.Errorf("Open returns %v", err)
		}
	})
}

// A dead letter comes from the ARN of its queue.
func TestARNIsTheDeadLetterSource(t *testing.T) {
	everywhere(t, func(t *testing.T, w *place) {
		dead := w.queue(t, "dead", queue.Config{ARN: "arn:dead"})
		q := w.queue(t, "main", queue.Config{ARN: "arn:main", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		sendGrouped(t, q, "a", "b")
		ds := receive(t, q, queue.ReceiveOptions{}, "a", "b")
		if err := q.DeadLetter(t.Context(), ds[0].Receipt, "broken"); err != nil {
			t.Fatal(err)
		}
		if err := q.ChangeVisibility(t.Context(), ds[1].Receipt, 0); err != nil {
			t.Fatal(err)
		}
		receive(t, q, queue.ReceiveOptions{}) // b moves
		for _, d := range holds(t, dead, "a", "b") {
			if d.DeadLetterSource != "arn:main" {
				t.Errorf("%s comes from %q", d.Body, d.DeadLetterSource)
			}
		}
	})
}

// An ARN stays for a queue's life; an empty one stands for it.
func TestARNStays(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := queuetest.NewMemStore()
		for _, arn := range []string{"", "arn:main"} {
			for _, store := range []queue.Store{nil, st} {
				q := newQueue(t, kind, store, queue.Config{Name: nameOf(kind, "main"), ARN: arn})
				cfg := q.Config()
				cfg.ARN, cfg.MaxMessageSize = "arn:other", 2048
				if err := q.Reconfigure(t.Context(), cfg); !errors.Is(err, queue.ErrInvalidParameter) {
					t.Errorf("Reconfigure with another ARN returns %v", err)
				}
				if got := q.Config(); got.ARN != arn || got.MaxMessageSize == 2048 {
					t.Errorf("a refused Reconfigure has changed the configuration to %+v", got)
				}
				for _, same := range []string{"", arn} {
					reconfigure(t, q, func(cfg *queue.Config) { cfg.Name, cfg.ARN = "", same })
					if got := q.Config(); got.ARN != arn || got.Name != nameOf(kind, "main") {
						t.Errorf("after Reconfigure the name is %q, the ARN %q", got.Name, got.ARN)
					}
				}
			}
		}
	})
}
