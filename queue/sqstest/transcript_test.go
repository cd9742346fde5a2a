package sqstest_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

func TestTranscriptOfAStandardQueue(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		time.Sleep(oddly) // virtual time, since New
		dead := k.Create("orders-dead", queue.Config{})
		orders := k.Create("orders", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
		mails := k.Create("mails", queue.Config{Delay: 5 * time.Minute})

		send(t, orders, "book", `{"lamp":1}`)
		ds := poll(t, orders)
		k.Advance(1500 * time.Millisecond)
		require.NoError(t, orders.Delete(t.Context(), ds[0].Receipt))
		require.NoError(t, orders.ChangeVisibility(t.Context(), ds[1].Receipt, 12*time.Hour-2*time.Second))
		send(t, mails, "thank you for your book")
		k.Advance(time.Hour)
		require.NoError(t, orders.ChangeVisibility(t.Context(), ds[1].Receipt, 0))
		_ = poll(t, orders)
		k.Advance(queue.DefaultVisibility)
		_ = poll(t, orders)
		work(t, dead)
		sendTo(t, orders, "tenant-7", "cup")
		k.WaitFor(func() bool { return orders.Stats().Expired == 1 })

		require.Equal(t, `transcript with seed 1 (RESTANTE_SEED=1 repeats it), times since sqstest.New

orders: 3 sent, 1 deleted, 1 moved away, 1 expired
  #1 "book"
       3h7m12.345s  sent
       3h7m12.345s  received (1), for 30s
       3h7m13.845s  deleted
  #2 `+"`"+`{"lamp":1}`+"`"+`
       3h7m12.345s  sent
       3h7m12.345s  received (1), for 30s
       3h7m13.845s  hidden, for 11h59m58s
       4h7m13.845s  visible again, released
       4h7m13.845s  received (2), for 30s
       4h7m43.845s  visible again, timed out
       4h7m43.845s  moved to the dead-letter queue
       4h7m43.845s  orders-dead: arrived
       4h7m43.845s  orders-dead: received (3), for 30s
       4h7m43.845s  orders-dead: deleted
  #3 "cup", group "tenant-7"
       4h7m43.845s  sent
     100h7m43.845s  expired

mails: 1 sent, 1 expired
  #1 "thank you for your book"
       3h7m13.845s  sent
       3h7m13.845s  delayed, for 5m0s
      3h12m13.845s  visible
      99h7m13.845s  expired

orders-dead: 1 arrived, 1 deleted
`, k.Transcript())
	})
}

func TestTranscriptOfAFIFOQueue(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Seed: 42})
		dead := k.Create("dead.fifo", queue.Config{})
		jobs := k.Create("jobs.fifo", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		sendTo(t, jobs, "a", "1", "2", "2") // the last is a duplicate
		sendTo(t, jobs, "b", "1")
		ds := poll(t, jobs)
		k.Advance(time.Second)
		require.NoError(t, jobs.Delete(t.Context(), ds[2].Receipt))
		k.Advance(queue.DefaultVisibility)
		_ = poll(t, jobs)
		k.Advance(time.Second)
		moveBack(t, k, dead)
		k.Advance(time.Second)
		_, err := jobs.Receive(t.Context(), queue.ReceiveOptions{})
		require.NoError(t, err)

		require.Equal(t, `transcript with seed 42 (RESTANTE_SEED=42 repeats it), times since sqstest.New

jobs.fifo: 3 sent, 1 suppressed, 2 arrived, 1 visible, 1 in flight, 1 deleted, 2 moved away
  #1 "1", group "a"
                0s  sent
                0s  received (1), for 30s
               30s  visible again, timed out
               31s  moved to the dead-letter queue
               31s  dead.fifo: arrived
               32s  dead.fifo: moved on, as a new message
  #2 "2", group "a"
                0s  sent
                0s  received (1), for 30s
               30s  visible again, timed out
               31s  moved to the dead-letter queue
               31s  dead.fifo: arrived
               32s  dead.fifo: moved on, as a new message
  #3 "1", group "b"
                0s  sent
                0s  received (1), for 30s
                1s  deleted
  #4 "1", group "a"
               32s  arrived
               33s  received (1), for 30s
  #5 "2", group "a"
               32s  arrived

dead.fifo: 2 arrived, 2 moved away
`, k.Transcript())
	})
}

func TestTranscriptOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		require.Regexp(t, `^transcript with seed \d+ .*\n$`, k.Transcript())
		_, _ = k.Create("jobs", queue.Config{}), k.Create("idle", queue.Config{})
		require.Regexp(t, `^transcript with seed \d+ .*\n\nidle: no messages\n\njobs: no messages\n$`, k.Transcript())
	})
}

func TestALifesTextIsItsPartOfTheTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		send(t, jobs, "one", "two")
		tooOften(t, k, jobs)
		var parts strings.Builder
		for _, l := range k.History() {
			parts.WriteString(l.String())
		}
		require.Contains(t, k.Transcript(), parts.String())
		require.Equal(t, jobs.Message("two").String(), dead.Message("two").String())
	})
}

// In one goroutine and a bubble, the same story makes the same text.
func TestTranscriptsHaveNoIDsAndRepeat(t *testing.T) {
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{64}`)
	var texts []string
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			k := sqstest.New(t, sqstest.Options{})
			dead := k.Create("dead", queue.Config{})
			jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
			for i := range 30 {
				send(t, jobs, fmt.Sprint("message ", i%7))
				for n, d := range poll(t, jobs) {
					if (i+n)%3 > 0 {
						require.NoError(t, jobs.Delete(t.Context(), d.Receipt))
					}
				}
				k.Advance(time.Duration(i) * time.Second)
			}
			texts = append(texts, k.Transcript())
		})
	}
	require.Equal(t, texts[0], texts[1])
	require.Equal(t, texts[0], texts[2])
	require.NotRegexp(t, id, texts[0])
	require.Contains(t, texts[0], "moved to the dead-letter queue")
}

func TestAFailedTestPrintsSeedAndTranscript(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	ways := map[string]func(tr *trial, k *sqstest.Kit, jobs *sqstest.Queue){
		"by an expectation": func(_ *trial, _ *sqstest.Kit, jobs *sqstest.Queue) { jobs.ExpectDeleted("one") },
		"by the test":       func(tr *trial, _ *sqstest.Kit, _ *sqstest.Queue) { tr.Errorf("no good") },
		"at once":           func(tr *trial, _ *sqstest.Kit, _ *sqstest.Queue) { tr.Fatalf("no good") },
		"by a later cleanup": func(tr *trial, _ *sqstest.Kit, _ *sqstest.Queue) {
			tr.Cleanup(func() { tr.Errorf("no good") })
		},
	}
	for name, fail := range ways {
		t.Run(name, func(t *testing.T) {
			anywhere(t, func(t *testing.T) {
				var transcript string
				tr := try(t, func(tr *trial) {
					k := sqstest.New(tr, sqstest.Options{Seed: 23})
					jobs := k.Create("jobs", queue.Config{})
					send(tr, jobs, "one")
					transcript = k.Transcript()
					require.Empty(t, tr.logs)
					fail(tr, k, jobs)
				})
				require.Equal(t, []string{transcript}, tr.logs)
				require.Contains(t, transcript, "RESTANTE_SEED=23")
			})
		})
	}
}

func TestATestThatPassesPrintsNothing(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{Faults: sqstest.Realistic()})
			jobs := k.Create("jobs", queue.Config{})
			_, _ = jobs.Send(tr.Context(), queue.Message{Body: "one"})
		})
		require.Empty(t, tr.errors)
		require.Empty(t, tr.logs)
	})
}

func TestAHugeTranscriptIsCutWhenItIsPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var transcript string
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			for i := range 3000 {
				send(tr, jobs, fmt.Sprint("message ", i))
			}
			transcript = k.Transcript()
			tr.Errorf("no good")
		})
		require.Len(t, tr.logs, 1)
		printed := tr.logs[0]
		require.Less(t, len(printed), 70_000)
		require.Greater(t, len(transcript), 2*len(printed))
		require.Contains(t, transcript, `"message 2999"`)
		end := strings.LastIndex(strings.TrimSuffix(printed, "\n"), "\n") + 1
		require.True(t, strings.HasPrefix(transcript, printed[:end]), "whole lines of the beginning")
		more := strings.Count(transcript, "\n") - strings.Count(printed[:end], "\n")
		require.Contains(t, printed[end:], fmt.Sprintf("%d lines more", more))
	})
}
