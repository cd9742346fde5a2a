package sqstest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// often has every chance at p.
func often(p float64) sqstest.Faults {
	return sqstest.Faults{
		Duplicate: p, Late: p, Shuffle: p, Empty: p, LateDelete: p, Expired: p,
		Partial: p, Throttle: p, Lose: p, Slow: p, Skew: 20 * time.Millisecond,
	}
}

// run runs a program with a kit of that seed and returns its transcript.
func run(t *testing.T, seed uint64, f sqstest.Faults, program func(t *testing.T, k *sqstest.Kit)) (transcript string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Seed: seed, Faults: f})
		program(t, k)
		transcript = k.Transcript()
	})
	return transcript
}

// A program makes calls of three queues by numbers at random, in one goroutine: of a
// Standard queue with a dead-letter queue, and of a FIFO queue.
type program struct {
	number  uint64
	between func(k *sqstest.Kit) // creates other queues, say; may be nil
}

func (p program) run(t *testing.T, k *sqstest.Kit) {
	ctx, r := t.Context(), rand.New(rand.NewPCG(p.number, 1))
	between := func() {
		if p.between != nil {
			p.between(k)
		}
	}
	between()
	dead := k.Create("dead", queue.Config{})
	between()
	jobs := k.Create("jobs", queue.Config{
		VisibilityTimeout: 5 * time.Second, DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2},
	})
	between()
	line := k.Create("line.fifo", queue.Config{VisibilityTimeout: 5 * time.Second, ContentDeduplication: true})
	between()

	queues, held := []*sqstest.Queue{jobs, line, dead}, make([][]queue.Receipt, 3)
	for range 60 {
		at := r.IntN(len(queues))
		q := queues[at]
		message := func() queue.Message {
			return queue.Message{Body: fmt.Sprintf("m%d", r.IntN(20)), GroupID: fmt.Sprintf("g%d", r.IntN(3))}
		}
		some := func() (rs []queue.Receipt) {
			for range min(len(held[at]), 1+r.IntN(4)) {
				rs = append(rs, held[at][r.IntN(len(held[at]))])
			}
			return rs
		}
		switch r.IntN(9) {
		case 0, 1:
			_, _ = q.Send(ctx, message())
		case 2:
			_, _ = q.SendBatch(ctx, []queue.Message{message(), message(), message()})
		case 3, 4, 5:
			wait := queue.None
			if r.IntN(2) == 0 {
				wait = 3 * time.Second
			}
			ds, _ := q.Receive(ctx, queue.ReceiveOptions{Max: 1 + r.IntN(10), Wait: wait})
			for _, d := range ds {
				held[at] = append(held[at], d.Receipt)
			}
		case 6:
			for _, receipt := range some() {
				_ = q.Delete(ctx, receipt)
			}
		case 7:
			if r.IntN(2) == 0 {
				_ = q.DeleteBatch(ctx, some())
				break
			}
			var changes []queue.VisibilityChange
			for _, receipt := range some() {
				changes = append(changes, queue.VisibilityChange{Receipt: receipt, Timeout: time.Duration(r.IntN(10)) * time.Second})
			}
			_ = q.ChangeVisibilityBatch(ctx, changes)
		case 8:
			k.Advance(time.Duration(r.IntN(4000)) * time.Millisecond)
		}
	}
	k.WaitIdle()
}

func TestSameSeedSameTranscript(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	met := map[sqstest.Kind]int{}
	letters := 0
	for number := range uint64(100) {
		var transcripts []string
		for range 2 {
			transcripts = append(transcripts, run(t, number+1, often(0.3), func(t *testing.T, k *sqstest.Kit) {
				program{number: number}.run(t, k)
				for kind, n := range kinds(k) {
					met[kind] += n
				}
				letters += int(k.Queue("dead").Stats().Adopted)
			}))
		}
		require.Equal(t, transcripts[0], transcripts[1])
	}
	for _, kind := range []sqstest.Kind{
		sqstest.Duplicated, sqstest.DelayedSend, sqstest.Shuffled, sqstest.EmptyAnswer, sqstest.DeletedLate, sqstest.ExpiredSoon,
		sqstest.FewerThan, sqstest.Throttled, sqstest.Lost, sqstest.Slowed,
	} {
		require.Greater(t, met[kind], 20, "programs that never meet %q prove nothing", kind)
	}
	require.Greater(t, letters, 20)
}

func TestOtherQueuesAreNoMatter(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	for number := range uint64(20) {
		var lives [2][]string
		var faults [2][]sqstest.Fault
		for others := range 2 {
			made := 0
			run(t, 3, often(0.3), func(t *testing.T, k *sqstest.Kit) {
				program{number: number, between: func(k *sqstest.Kit) {
					if others > 0 {
						made++
						k.Create(fmt.Sprintf("other-%d", made), queue.Config{})
					}
				}}.run(t, k)
				for _, l := range k.History() {
					lives[others] = append(lives[others], l.String())
				}
				faults[others] = k.Faults()
			})
		}
		require.Equal(t, lives[0], lives[1])
		require.Equal(t, faults[0], faults[1])
	}
}

func TestOtherSeedsDiffer(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	seen := map[string]bool{}
	for seed := range uint64(30) {
		seen[run(t, seed+1, often(0.3), func(t *testing.T, k *sqstest.Kit) {
			program{number: 1}.run(t, k)
			seen[fmt.Sprint(k.Faults())] = true
		})] = true
	}
	require.Len(t, seen, 60)
}

func TestZeroSeedIsOne(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	require.Equal(t, run(t, 1, often(0.3), program{number: 1}.run), run(t, 0, often(0.3), program{number: 1}.run))
	require.Equal(t, uint64(1), sqstest.New(t, sqstest.Options{}).Seed())
}

// Which receive gets which message is another matter at each run, so only calls that
// are the same at each are compared: those of the messages.
func TestGoroutinesMeetTheSameDecisions(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	for seed := range uint64(20) {
		var want []string
		for order := range uint64(5) {
			synctest.Test(t, func(t *testing.T) {
				k := sqstest.New(t, sqstest.Options{Seed: seed + 1})
				workTogether(t, k, rand.New(rand.NewPCG(seed, order)))
				got := decisionsOf(k)
				require.Greater(t, len(got), 50)
				if want == nil {
					want = got
				}
				require.Equal(t, want, got)
			})
		}
	}
}

// decisionsOf returns all that faults say but when they happened, in alphabetical order.
func decisionsOf(k *sqstest.Kit) (all []string) {
	for _, f := range k.Faults() {
		all = append(all, fmt.Sprint(f.Queue, " ", f.Call, " ", f.Kind, " ", f.Body, " ", f.N, " ", f.By))
	}
	slices.Sort(all)
	return all
}

// workTogether lets eight goroutines, started in an order by r, send, receive and
// delete at the same time.
func workTogether(t *testing.T, k *sqstest.Kit, r *rand.Rand) {
	q := k.Create("jobs", queue.Config{VisibilityTimeout: time.Hour})
	together := func(work func(i int)) {
		var all sync.WaitGroup
		for _, i := range r.Perm(8) {
			pause := r.IntN(4)
			all.Go(func() {
				for range pause {
					runtime.Gosched()
				}
				work(i)
			})
		}
		all.Wait()
	}
	again := func(call func() error) {
		for call() != nil {
			runtime.Gosched()
		}
	}

	k.Misbehave(sqstest.Faults{Late: 0.3, Throttle: 0.3, Lose: 0.3, Slow: 0.3})
	together(func(i int) {
		for _, body := range []string{fmt.Sprint(i, "a"), fmt.Sprint(i, "b"), fmt.Sprint(i, "same"), fmt.Sprint(i, "same")} {
			again(func() error {
				_, err := q.Send(t.Context(), queue.Message{Body: body})
				return err
			})
		}
		again(func() error {
			_, err := q.SendBatch(t.Context(), []queue.Message{{Body: fmt.Sprint(i, "c")}, {Body: fmt.Sprint(i, "d")}})
			return err
		})
	})
	k.Advance(2 * time.Second) // what is late is there

	k.Misbehave(sqstest.Faults{Duplicate: 0.3, Partial: 0.3, Shuffle: 0.3})
	var mu sync.Mutex
	var held []queue.Delivery
	together(func(int) {
		for {
			ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1})
			if err != nil || len(ds) == 0 {
				return
			}
			mu.Lock()
			held = append(held, ds...)
			mu.Unlock()
			runtime.Gosched()
		}
	})

	k.Misbehave(sqstest.Faults{LateDelete: 0.3, Throttle: 0.3, Lose: 0.3, Slow: 0.3})
	together(func(i int) {
		for at := i; at < len(held); at += 8 {
			if d := held[at]; d.Body[1:] != "a" {
				again(func() error { return q.Delete(t.Context(), d.Receipt) })
			} else {
				again(func() error { return q.ChangeVisibility(t.Context(), d.Receipt, time.Hour) })
			}
		}
	})
	k.Advance(10 * time.Second)
}

// share returns how often a kind of fault happened in n chances of it.
func share(k *sqstest.Kit, kind sqstest.Kind, n int) float64 {
	return float64(kinds(k)[kind]) / float64(n)
}

func TestFaultsHappenAsOftenAsTheirChanceSays(t *testing.T) {
	const n = 300
	for _, p := range []float64{0.1, 0.5, 0.9} {
		only := func(f sqstest.Faults) sqstest.Faults { f.InARow = -1; return f }
		send := func(t *testing.T, k *sqstest.Kit) {
			q := k.Create("jobs", queue.Config{})
			for _, body := range numbered(n) {
				_, _ = q.Send(t.Context(), queue.Message{Body: body})
			}
		}
		// each receives ten messages n times, with a pause in which all come back.
		receive := func(work func(ctx *testing.T, k *sqstest.Kit, q *sqstest.Queue, ds []queue.Delivery)) func(*testing.T, *sqstest.Kit) {
			return func(t *testing.T, k *sqstest.Kit) {
				q := k.Create("jobs", queue.Config{Retention: queue.MaxRetention})
				put(t, k, "jobs", numbered(10)...)
				for range n {
					ds, _ := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
					work(t, k, q, ds)
					k.Advance(time.Minute)
				}
			}
		}
		nothing := func(*testing.T, *sqstest.Kit, *sqstest.Queue, []queue.Delivery) {}
		for _, c := range []struct {
			kind    sqstest.Kind
			only    sqstest.Faults
			chances int
			program func(*testing.T, *sqstest.Kit)
		}{
			{sqstest.DelayedSend, only(sqstest.Faults{Late: p}), n, send},
			{sqstest.Throttled, only(sqstest.Faults{Throttle: p}), n, send},
			{sqstest.Lost, only(sqstest.Faults{Lose: p}), n, send},
			{sqstest.Slowed, only(sqstest.Faults{Slow: p}), n, send},
			{sqstest.Duplicated, only(sqstest.Faults{Duplicate: p}), 10 * n, receive(nothing)},
			{sqstest.Shuffled, only(sqstest.Faults{Shuffle: p}), n, receive(nothing)},
			{sqstest.FewerThan, only(sqstest.Faults{Partial: p}), n, receive(nothing)},
			{sqstest.EmptyAnswer, only(sqstest.Faults{Empty: p}), n, receive(nothing)},
			{sqstest.ExpiredSoon, only(sqstest.Faults{Expired: p}), n, receive(func(t *testing.T, k *sqstest.Kit, q *sqstest.Queue, ds []queue.Delivery) {
				k.Advance(time.Minute)
				_ = q.ChangeVisibility(t.Context(), ds[0].Receipt, time.Second)
			})},
			{sqstest.DeletedLate, only(sqstest.Faults{LateDelete: p}), n, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create("jobs", queue.Config{})
				for _, body := range numbered(n) {
					put(t, k, "jobs", body)
				}
				for range n / 10 {
					for _, d := range take(t, q, 10) {
						_ = q.Delete(t.Context(), d.Receipt)
					}
				}
			}},
		} {
			withFaults(t, c.only, func(t *testing.T, k *sqstest.Kit) {
				c.program(t, k)
				require.InDelta(t, p, share(k, c.kind, c.chances), 0.08, "%s", c.kind)
				require.Len(t, kinds(k), 1, "and no other")
			})
		}
	}
}

func TestChanceIsAFunctionOfTheSeedTheWordsAndTheirNumber(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	ask := func(k *sqstest.Kit, words ...string) (answers string) {
		for range 200 {
			answers += fmt.Sprintf("%t ", k.Chance(0.3, words...))
		}
		return answers
	}
	withSeed := func(seed uint64) *sqstest.Kit { return sqstest.New(t, sqstest.Options{Seed: seed}) }

	k, again := withSeed(1), withSeed(1)
	crash := ask(k, "crash", "a")
	other := ask(k, "crash", "b")
	require.Equal(t, other, ask(again, "crash", "b"), "in whatever order")
	require.Equal(t, crash, ask(again, "crash", "a"))
	seen := map[string]bool{crash: true, other: true}
	for _, another := range []string{
		ask(k, "crash", "a"), ask(k, "crasha"), ask(k, "crash"), ask(k, "a", "crash"), ask(k), ask(withSeed(2), "crash", "a"),
	} {
		require.False(t, seen[another])
		seen[another] = true
	}
	require.InDelta(t, 0.3, share(k, sqstest.Chosen, 200*7), 0.05)
}

func TestChanceIsInTheTranscriptIfItHits(t *testing.T) {
	withFaults(t, sqstest.Faults{}, func(t *testing.T, k *sqstest.Kit) {
		k.Advance(3 * time.Second)
		require.False(t, k.Chance(0, "never", "a"))
		require.True(t, k.Chance(1, "always", "a"))
		require.True(t, k.Chance(1, "always", "a"))
		fs := k.Faults()
		require.Len(t, fs, 2)
		require.Equal(t, sqstest.Fault{At: time.Now(), Call: fs[1].Call, Kind: sqstest.Chosen, N: 2}, fs[1])
		require.Contains(t, fs[1].Call, "always")
		require.Regexp(t, `3s +.*always.*a`, k.Transcript())
		require.NotContains(t, k.Transcript(), "never")
	})
}

func TestMisbehaveTurnsFaultsOnAndOff(t *testing.T) {
	withFaults(t, sqstest.Faults{}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		send := func() error {
			_, err := q.Send(t.Context(), queue.Message{Body: "a"})
			return err
		}
		require.NoError(t, send())
		k.Misbehave(sqstest.Faults{Throttle: 1, InARow: -1})
		require.ErrorIs(t, send(), queue.ErrThrottled)
		k.Misbehave(sqstest.Faults{Lose: 1, InARow: -1})
		require.ErrorIs(t, send(), sqstest.ErrLost)
		k.Misbehave(sqstest.Faults{})
		require.NoError(t, send())
		q.ExpectSent("a", 3)
	})
}

func TestMisbehaveIsOfCallsThatBeginLater(t *testing.T) {
	withFaults(t, sqstest.Faults{}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		done := make(chan error)
		go func() {
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			done <- err
		}()
		k.Settle()
		k.Misbehave(sqstest.Faults{Lose: 1, Throttle: 1})
		require.NoError(t, <-done)
		require.Empty(t, k.Faults())
	})
}

func TestAQueueMayMisbehaveInItsOwnWay(t *testing.T) {
	withFaults(t, sqstest.Faults{Throttle: 1, InARow: -1}, func(t *testing.T, k *sqstest.Kit) {
		good, bad := k.Create("good", queue.Config{}), k.Create("bad", queue.Config{})
		good.Misbehave(sqstest.Faults{})
		send := func(q queue.Queue) error {
			_, err := q.Send(t.Context(), queue.Message{Body: "a"})
			return err
		}
		require.NoError(t, send(good))
		require.ErrorIs(t, send(bad), queue.ErrThrottled)
		k.Misbehave(sqstest.Faults{Lose: 1, InARow: -1})
		require.NoError(t, send(good))
		require.ErrorIs(t, send(bad), sqstest.ErrLost)
	})
}

func TestCallsSayWhichMethodsFail(t *testing.T) {
	f := sqstest.Faults{Throttle: 1, Slow: 1, InARow: -1, Calls: []string{"Delete", "Receive"}}
	eachCall(t, func(t *testing.T, k *sqstest.Kit, q *sqstest.Queue, call func(context.Context) error) {
		k.Misbehave(f)
		begin, err := time.Now(), call(t.Context())
		if name := t.Name(); strings.HasSuffix(name, "/Delete") || strings.HasSuffix(name, "/Receive") {
			require.ErrorIs(t, err, queue.ErrThrottled)
			require.True(t, time.Now().After(begin))
			return
		}
		require.NoError(t, err)
		require.Equal(t, begin, time.Now())
		require.Empty(t, k.Faults())
	})
}
