package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/restantemq/restante/queue"
)

// tampering is a queue that doesn't do as it should, or interrupts the run.
type tampering struct {
	inspectable
	send      func(context.Context, queue.Message) (queue.Sent, error)
	receive   func(context.Context, []queue.Delivery) ([]queue.Delivery, error)
	interrupt context.CancelCauseFunc
}

func (q *tampering) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	if q.send != nil {
		return q.send(ctx, m)
	}
	return q.inspectable.Send(ctx, m)
}

func (q *tampering) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	batch, err := q.inspectable.Receive(ctx, o)
	if q.receive != nil && err == nil {
		return q.receive(ctx, batch)
	}
	return batch, err
}

// post runs the program in virtual time, over the whole file, after tamper has
// done something to the job and its queue. It returns the rows printed, and
// fails if they aren't all there.
func post(t *testing.T, seed uint64, tamper func(*job, *tampering)) (rows map[string]string, err error) {
	t.Helper()
	movements, err := readMovements()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		opened, openErr := openQueue()
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer opened.Close()
		ctx, interrupt := context.WithCancelCause(t.Context())
		defer interrupt(nil)
		q := &tampering{inspectable: opened, interrupt: interrupt}
		j := newJob(q, movements)
		j.seed, j.consumers, j.crash = seed, 16, 0.01
		if tamper != nil {
			tamper(j, q)
		}
		err = j.run(ctx, &out, false)
	})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	names := []string{
		"movements", "accounts", "sent", "duplicates_suppressed", "received",
		"crashes_before", "crashes_after", "repeats_skipped", "out_of_order", "wrong_balances",
	}
	if len(lines) < len(names) {
		t.Fatalf("printed\n%s\nwant rows %q", out.String(), names)
	}
	rows = make(map[string]string)
	for i, line := range lines[len(lines)-len(names):] {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != names[i] {
			t.Fatalf("printed\n%s\nwant rows %q at the end", out.String(), names)
		}
		rows[fields[0]] = fields[1]
	}
	return rows, err
}

// number returns a row's value.
func number(t *testing.T, rows map[string]string, name string) int {
	t.Helper()
	n, err := strconv.Atoi(rows[name])
	if err != nil {
		t.Errorf("row %s is not a number: %v", name, err)
	}
	return n
}

func TestRun(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rows, err := post(t, seed, nil)
			if err != nil {
				t.Fatalf("%v; rows are %v", err, rows)
			}
			for _, name := range []string{"duplicates_suppressed", "crashes_before", "crashes_after"} {
				if number(t, rows, name) == 0 {
					t.Errorf("rows are %v; want %s above zero", rows, name)
				}
			}
			// Virtual time stands still while anybody works, so nobody is too
			// slow: what comes again does so because of a crash.
			if rows["repeats_skipped"] != rows["crashes_after"] {
				t.Errorf("rows are %v; want a repeat for each crash after applying", rows)
			}
			if number(t, rows, "sent") != number(t, rows, "movements")+number(t, rows, "duplicates_suppressed") {
				t.Errorf("rows are %v; want movements and duplicates_suppressed to make up sent", rows)
			}
			if rows["movements"] != "5000" || rows["accounts"] != "120" || rows["out_of_order"] != "0" || rows["wrong_balances"] != "0" {
				t.Errorf("rows are %v", rows)
			}
		})
	}
}

func TestRunWithoutCrashes(t *testing.T) {
	rows, err := post(t, 1, func(j *job, _ *tampering) { j.crash = 0 })
	if err != nil || rows["received"] != rows["movements"] || rows["repeats_skipped"] != "0" {
		t.Errorf("run = %v, %v; want each movement received once", rows, err)
	}
}

func TestRunNoticesThatNothingCameAgain(t *testing.T) {
	rows, err := post(t, 1, func(j *job, _ *tampering) { j.crash = 1e-9 })
	if err == nil || !strings.Contains(err.Error(), "no movement came again") {
		t.Errorf("run = %v, %v; want an error, as the run shows nothing", rows, err)
	}
}

func TestRunOneConsumer(t *testing.T) {
	if rows, err := post(t, 1, func(j *job, _ *tampering) { j.consumers = 1 }); err != nil {
		t.Errorf("run = %v, %v", rows, err)
	}
}

// middle is the place of a movement that is neither the first nor the last of
// its account.
const middle = 2000

func TestRunNoticesBadApplier(t *testing.T) {
	for _, c := range []struct {
		name  string
		apply func(books *ledger, m movement, sequence uint64) bool
	}{
		{"ignores the sequence number", func(books *ledger, m movement, _ uint64) bool {
			a := books.accounts[m.Account]
			a.balance += m.Amount
			books.accounts[m.Account] = a
			books.journal = append(books.journal, m.ID)
			return true
		}},
		{"keeps the number but not the balance", func(books *ledger, m movement, sequence uint64) bool {
			a := books.accounts[m.Account]
			if sequence <= a.sequence {
				return false
			}
			a.sequence = sequence
			books.accounts[m.Account] = a
			return true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := post(t, 1, func(j *job, _ *tampering) {
				j.apply = func(m movement, sequence uint64) bool {
					j.books.mu.Lock()
					defer j.books.mu.Unlock()
					return c.apply(j.books, m, sequence)
				}
			})
			if err == nil || !strings.Contains(err.Error(), "cents, should have") || number(t, rows, "wrong_balances") == 0 {
				t.Errorf("run = %v, %v; want an error about a wrong balance", rows, err)
			}
		})
	}
}

func TestRunNoticesBadQueue(t *testing.T) {
	for _, c := range []struct {
		name       string
		tamper     func(*job, *tampering)
		outOfOrder bool // it is noticed there
		wrong      bool // and there
		mention    string
	}{
		{"two messages change places", func(j *job, q *tampering) {
			first := j.movements[middle]
			rest := j.movements[middle+1:]
			second := rest[slices.IndexFunc(rest, func(m movement) bool { return m.Account == first.Account })]
			q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
				switch m.DeduplicationID {
				case first.ID:
					m.Body, m.DeduplicationID = second.encode(), second.ID
				case second.ID:
					m.Body, m.DeduplicationID = first.encode(), first.ID
				}
				return q.inspectable.Send(ctx, m)
			}
		}, true, false, "was applied when"},
		{"deliveries change places", func(j *job, q *tampering) {
			q.receive = func(_ context.Context, batch []queue.Delivery) ([]queue.Delivery, error) {
				for i := range max(len(batch)-1, 0) {
					if batch[i].GroupID == batch[i+1].GroupID {
						batch[i], batch[i+1] = batch[i+1], batch[i]
					}
				}
				return batch, nil
			}
		}, true, true, "was applied when"},
		{"a message is not kept", func(j *job, q *tampering) {
			q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
				if m.DeduplicationID == j.movements[middle].ID {
					return queue.Sent{}, nil
				}
				return q.inspectable.Send(ctx, m)
			}
		}, true, true, "cents, should have"},
		{"the last message is not kept", func(j *job, q *tampering) {
			q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
				if m.DeduplicationID == j.movements[len(j.movements)-1].ID {
					return queue.Sent{}, nil
				}
				return q.inspectable.Send(ctx, m)
			}
		}, false, true, "cents, should have"},
		{"a message is not delivered", func(j *job, q *tampering) {
			q.receive = func(ctx context.Context, batch []queue.Delivery) ([]queue.Delivery, error) {
				for i, d := range batch {
					if d.DeduplicationID == j.movements[middle].ID {
						return slices.Delete(batch, i, i+1), q.inspectable.Delete(ctx, d.Receipt)
					}
				}
				return batch, nil
			}
		}, true, true, "was applied when"},
		{"messages don't come again", func(j *job, q *tampering) {
			q.receive = func(ctx context.Context, batch []queue.Delivery) ([]queue.Delivery, error) {
				var err error
				return slices.DeleteFunc(batch, func(d queue.Delivery) bool {
					if d.ReceiveCount > 1 {
						err = errors.Join(err, q.inspectable.Delete(ctx, d.Receipt))
					}
					return d.ReceiveCount > 1
				}), err
			}
		}, true, true, "only 0 came again"},
		{"duplicates are not recognised", func(j *job, q *tampering) {
			n := 0
			q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
				n++
				m.DeduplicationID = fmt.Sprint("unique-", n)
				return q.inspectable.Send(ctx, m)
			}
		}, false, true, "the queue recognised 0"},
		{"duplicates are not admitted", func(j *job, q *tampering) {
			q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
				sent, err := q.inspectable.Send(ctx, m)
				sent.Duplicate = false
				return sent, err
			}
		}, false, false, "the queue recognised 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := post(t, 1, c.tamper)
			if err == nil || !strings.Contains(err.Error(), c.mention) {
				t.Errorf("error is %v; want it to say %q", err, c.mention)
			}
			if (number(t, rows, "out_of_order") > 0) != c.outOfOrder || (number(t, rows, "wrong_balances") > 0) != c.wrong {
				t.Errorf("rows are %v; want movements out of order: %t, wrong balances: %t", rows, c.outOfOrder, c.wrong)
			}
		})
	}
}

func TestRunEndsWithFirstError(t *testing.T) {
	broken := errors.New("broken")
	for name, tamper := range map[string]func(*job, *tampering){
		"send": func(_ *job, q *tampering) {
			q.send = func(context.Context, queue.Message) (queue.Sent, error) { return queue.Sent{}, broken }
		},
		"receive": func(_ *job, q *tampering) {
			q.receive = func(context.Context, []queue.Delivery) ([]queue.Delivery, error) { return nil, broken }
		},
	} {
		rows, err := post(t, 1, tamper)
		if !errors.Is(err, broken) || rows["out_of_order"] != "unknown" || rows["wrong_balances"] != "unknown" {
			t.Errorf("%s fails: run = %v, %v; want its error, and unknown results", name, rows, err)
		}
	}
	rows, err := post(t, 1, func(j *job, q *tampering) {
		q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
			m.Body = "?"
			return q.inspectable.Send(ctx, m)
		}
	})
	if err == nil || !strings.Contains(err.Error(), `has the body "?"`) {
		t.Errorf("not a movement: run = %v, %v; want an error that shows the body", rows, err)
	}
}

func TestRunInterrupted(t *testing.T) {
	cause := errors.New("interrupt")
	rows, err := post(t, 1, func(j *job, q *tampering) {
		q.send = func(ctx context.Context, m queue.Message) (queue.Sent, error) {
			if m.DeduplicationID == j.movements[middle].ID {
				q.interrupt(cause)
			}
			return q.inspectable.Send(ctx, m)
		}
	})
	if !errors.Is(err, cause) || rows["wrong_balances"] != "unknown" {
		t.Errorf("run = %v, %v; want the cause of the interruption, and unknown results", rows, err)
	}
}

func TestApply(t *testing.T) {
	books := newLedger()
	for _, c := range []struct {
		m        movement
		sequence uint64
		applied  bool
		balance  int64
	}{
		{movement{"1", "a", 100, ""}, 5, true, 100},
		{movement{"1", "a", 100, ""}, 5, false, 100},
		{movement{"2", "b", -7, ""}, 3, true, -7}, // each account has its own number
		{movement{"3", "a", -30, ""}, 6, true, 70},
		{movement{"1", "a", 100, ""}, 5, false, 70},
	} {
		applied := books.apply(c.m, c.sequence)
		if got := books.accounts[c.m.Account].balance; applied != c.applied || got != c.balance {
			t.Errorf("apply(%v, %d) = %t, balance %d; want %t, %d", c.m, c.sequence, applied, got, c.applied, c.balance)
		}
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(books.journal, want) {
		t.Errorf("journal is %q; want %q", books.journal, want)
	}
}

// The queue would take the second of two movements with one ID for a repeated
// send.
func TestMovementsAreDistinctAndSurviveTheirMessage(t *testing.T) {
	movements, err := readMovements()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, m := range movements {
		if seen[m.ID] || m.Amount == 0 {
			t.Errorf("%v has the ID of another one, or moves nothing", m)
		}
		seen[m.ID] = true
		if got, err := decodeMovement(m.encode()); got != m || err != nil {
			t.Errorf("%v became %v, %v", m, got, err)
		}
	}
}

func TestReadMovementsRefusesBadFile(t *testing.T) {
	good := file
	defer func() { file = good }()
	for _, file = range []string{
		"", "id,account,amount\n", "1,a,100,first line\n",
		"id,account,amount,memo\n1,a,1.5,not cents\n", "id,account,amount,memo\n1,a,100\n",
	} {
		if movements, err := readMovements(); err == nil {
			t.Errorf("read %q as %v; want an error", file, movements)
		}
	}
}

func TestCompareBalances(t *testing.T) {
	want := map[string]int64{"a": 1, "b": -2, "c": 0}
	for _, c := range []struct {
		name    string
		got     map[string]account
		n       int
		mention string
	}{
		{"equal", map[string]account{"a": {1, 9}, "b": {-2, 8}, "c": {0, 7}}, 0, ""},
		{"wrong", map[string]account{"a": {1, 9}, "b": {2, 8}}, 1, "account b has 2 cents, should have -2"},
		{"missing", nil, 2, "account a has 0 cents, should have 1"},
		{"unexpected", map[string]account{"a": {1, 9}, "b": {-2, 8}, "d": {5, 7}}, 1, "account d has 5 cents, should have 0"},
	} {
		n, err := compareBalances(want, c.got)
		if n != c.n || (err == nil) != (c.mention == "") || err != nil && err.Error() != c.mention {
			t.Errorf("%s: compareBalances = %d, %v; want %d, %q", c.name, n, err, c.n, c.mention)
		}
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for bar, want := range map[bool]string{
			true: "\r[" + strings.Repeat(" ", 40) + "] 0 of 4" +
				"\r[" + strings.Repeat("#", 20) + strings.Repeat(" ", 20) + "] 2 of 4\n",
			false: "deleted 0 of 4\n", // the next line is due a second later
		} {
			var out bytes.Buffer
			p := &progress{out: &out, bar: bar, total: 4}
			p.show(0)
			p.show(2)
			p.end()
			if out.String() != want {
				t.Errorf("bar %t: printed %q; want %q", bar, out.String(), want)
			}
		}
	})
}
