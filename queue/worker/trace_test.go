package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func TestTraceTellsEachStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := openStandard(t, queue.Config{Name: "dead"})
		q := open(t, queue.Standard, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 10}}, "fine", "failing", "dead", "slow")
		var steps notes[string]
		start := time.Now()
		told := func(format string, args ...any) {
			steps.add(fmt.Sprintf("%v: ", time.Since(start)) + fmt.Sprintf(format, args...))
		}
		runFor(t, 5*time.Minute, q, func(_ context.Context, d *queue.Delivery) error {
			switch {
			case d.Body == "failing" && d.ReceiveCount == 1:
				return worker.RetryAfter(time.Minute, errNo)
			case d.Body == "dead":
				return worker.DeadLetter(errNo)
			case d.Body == "slow":
				time.Sleep(20 * time.Second)
			}
			return nil
		}, worker.Options{Concurrency: 1, BatchSize: 1, Trace: &worker.Trace{
			Received: func(n int) { told("received %d", n) },
			Started:  func(d *queue.Delivery) { told("started %s", d.Body) },
			Finished: func(d *queue.Delivery, o worker.Outcome, err error, took time.Duration) {
				told("%s %v, %v, %v", d.Body, o, err, took)
			},
			Extended: func(d *queue.Delivery, until time.Time) { told("%s until %v", d.Body, until.Sub(start)) },
			Failed:   func(call string, err error) { told("%s: %v", call, err) },
		}})
		require.Equal(t, []string{
			"0s: received 1", "0s: started fine", "0s: fine done, <nil>, 0s",
			"0s: received 1", "0s: started failing", "0s: failing retried, again after 1m0s: no, 0s",
			"0s: received 1", "0s: started dead", "0s: dead dead-lettered, no, 0s",
			"0s: received 1", "0s: started slow", "15s: slow until 45s", "20s: slow done, <nil>, 20s",
			"1m0s: received 1", "1m0s: started failing", "1m0s: failing done, <nil>, 0s",
		}, steps.all())
	})
}

func TestTraceTellsWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		var failed notes[string]
		left := map[string]int{"receive": 1, "change": 1, "delete": 1}
		refuse := func(what string) error {
			if left[what]--; left[what] >= 0 {
				return queue.ErrThrottled
			}
			return nil
		}
		w := &tampered{
			Queue:   q,
			receive: func(context.Context, queue.ReceiveOptions) error { return refuse("receive") },
			change: func(_ context.Context, _ []queue.VisibilityChange, next func() error) error {
				if err := refuse("change"); err != nil {
					return err
				}
				return next()
			},
			delete: func(_ context.Context, _ []queue.Receipt, next func() error) error {
				if err := refuse("delete"); err != nil {
					return err
				}
				return next()
			},
		}
		runFor(t, 5*time.Minute, w, func(_ context.Context, d *queue.Delivery) error {
			if d.ReceiveCount == 1 {
				return errNo
			}
			return nil
		}, worker.Options{Concurrency: 1, Trace: &worker.Trace{Failed: func(call string, err error) {
			require.ErrorIs(t, err, queue.ErrThrottled)
			failed.add(strings.TrimSuffix(call, "Batch"))
		}}})
		require.Equal(t, []string{"Receive", "ChangeVisibility", "Delete"}, failed.all())
		require.EqualValues(t, 1, statsOf(t, q).Deleted)
	})
}

// An empty Trace is asked for nothing.
func TestTraceMayBeEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		w := &tampered{Queue: q, change: func(_ context.Context, _ []queue.VisibilityChange, next func() error) error {
			_ = next()
			return queue.ErrThrottled
		}}
		runFor(t, 5*time.Minute, w, func(_ context.Context, d *queue.Delivery) error {
			time.Sleep(20 * time.Second)
			if d.ReceiveCount == 1 {
				return errNo
			}
			return nil
		}, worker.Options{Trace: &worker.Trace{}})
		require.EqualValues(t, 1, statsOf(t, q).Deleted)
	})
}

func TestOutcomeNames(t *testing.T) {
	for o, name := range map[worker.Outcome]string{
		worker.Done: "done", worker.Retried: "retried", worker.DeadLettered: "dead-lettered", worker.LeaseLost: "lease lost", worker.Returned: "returned", 99: "unknown",
	} {
		require.Equal(t, name, o.String())
	}
}

// records runs h over one message with a Logger, and returns what it was told.
func records(t *testing.T, h worker.Handler, o worker.Options) (all []map[string]any) {
	q := open(t, queue.Standard, queue.Config{}, "a secret body")
	var written notes[string]
	o.Logger = slog.New(slog.NewJSONHandler(writer{&written}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_ = worker.Run(ctx, q, h, o)
	for _, line := range written.all() {
		require.NotContains(t, line, "a secret body")
		var r map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		all = append(all, r)
	}
	return all
}

type writer struct{ *notes[string] }

func (w writer) Write(line []byte) (int, error) {
	w.add(string(line))
	return len(line), nil
}

func TestLoggerIsToldOfNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := records(t, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{})
		require.Len(t, all, 2, "the start and the stop")
		for i, word := range []string{"started", "stopped"} {
			require.Equal(t, "INFO", all[i]["level"])
			require.Contains(t, all[i]["msg"], word)
		}
	})
}

func TestLoggerIsToldOfFailures(t *testing.T) {
	for name, c := range map[string]struct {
		h             worker.Handler
		level, key    string
		value, inText string
	}{
		"error":  {func(context.Context, *queue.Delivery) error { return errNo }, "WARN", "error", "no", "failed"},
		"panic":  {func(context.Context, *queue.Delivery) error { panic("oh no") }, "ERROR", "stack", "trace_test.go", "panicked: oh no"},
		"goexit": {func(context.Context, *queue.Delivery) error { runtime.Goexit(); return nil }, "ERROR", "message", "", "ended its goroutine"},
		"lost":   {func(ctx context.Context, _ *queue.Delivery) error { <-ctx.Done(); return nil }, "WARN", "message", "", "lease lost"},
	} {
		bubble(t, name, func(t *testing.T) {
			all := records(t, func(ctx context.Context, d *queue.Delivery) error {
				if d.ReceiveCount > 1 {
					return nil
				}
				return c.h(ctx, d)
			}, worker.Options{MaxHold: 10 * time.Second})
			found := 0
			for _, r := range all {
				if strings.Contains(fmt.Sprint(r["msg"]), c.inText) {
					found++
					require.Equal(t, c.level, r["level"])
					require.Contains(t, r[c.key], c.value)
					require.NotEmpty(t, r["message"], "its ID")
				}
			}
			require.Equal(t, 1, found)
		})
	}
}

func TestLoggerIsToldOfStuckHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := records(t, func(context.Context, *queue.Delivery) error { time.Sleep(time.Hour); return nil }, worker.Options{})
		var levels []any
		for _, r := range all {
			levels = append(levels, r["level"])
		}
		require.Contains(t, levels, "ERROR")
		require.Equal(t, true, all[len(all)-1]["stuck"])
		time.Sleep(time.Hour)
	})
}
