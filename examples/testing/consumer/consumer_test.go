package consumer

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

var bug = flag.Bool("bug", false, "test the consumer that has the bug")

// A shop is four workers and their two queues. A job says how long it takes; one that
// doesn't fails.
type shop struct {
	t          *testing.T
	jobs, dead *sqstest.Queue
	stop       context.CancelFunc // sends the workers home

	mu            sync.Mutex // guards running and done
	running, done map[string]int
}

// open starts the workers. They end with the test.
func open(t *testing.T, k *sqstest.Kit) *shop {
	t.Helper()
	s := &shop{t: t, running: make(map[string]int), done: make(map[string]int)}
	s.dead = k.Create("jobs-dead", queue.Config{})
	s.jobs = k.Create("jobs", queue.Config{
		VisibilityTimeout: Visibility,
		DeadLetter:        queue.DeadLetter{Target: s.dead, MaxReceives: MaxReceives},
	})
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 4 {
		c := Consumer{Queue: s.jobs, Do: s.do, bug: *bug}
		workers.Go(func() {
			if err := c.Run(ctx); ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		s.stop()
		workers.Wait()
	})
	return s
}

// do does a job, and sees to it that nobody else does.
func (s *shop) do(ctx context.Context, job string) error {
	s.mu.Lock()
	s.running[job]++
	if n := s.running[job]; n > 1 {
		s.t.Errorf("%d workers do %q at the same time", n, job)
		s.stop() // this says enough
	}
	s.mu.Unlock()
	err := work(ctx, job)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[job]--
	if err == nil {
		s.done[job]++
	}
	return err
}

func work(ctx context.Context, job string) error {
	_, length, _ := strings.Cut(job, " ")
	takes, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	if !sleep(ctx, takes) {
		return ctx.Err()
	}
	return nil
}

// send sends jobs, without faults.
func (s *shop) send(jobs ...string) {
	s.t.Helper()
	for _, job := range jobs {
		if _, err := s.jobs.Unwrap().Send(s.t.Context(), queue.Message{Body: job}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// finish waits until every job is done, or has gone to the dead-letter queue.
func (s *shop) finish(limit time.Duration) {
	s.t.Helper()
	if !s.jobs.RunUntilDrained(limit) {
		s.t.Fatalf("there is work left after %v", limit)
	}
}

// overTheNetwork is what every call has to do with.
var overTheNetwork = sqstest.Faults{Slow: 1, SlowBy: 200 * time.Millisecond}

// However long a job takes, it is done once.
func TestTwelveHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Faults: overTheNetwork})
		s := open(t, k)
		jobs := []string{"film 11h30m", "series 3h", "song 5m", "photo 1s"}
		s.send(jobs...)
		s.finish(12 * time.Hour)
		for _, job := range jobs {
			s.jobs.ExpectReceived(job, 1)
		}
		s.jobs.ExpectDeleted(jobs...)
		s.dead.ExpectEmpty()
	})
}

// SQS lets nobody hold a message for more than twelve hours. Who takes longer has to
// stop before somebody else begins.
func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Faults: overTheNetwork})
		s := open(t, k)
		s.send("opera 13h")
		s.finish(MaxReceives * queue.MaxVisibility)
		s.jobs.ExpectReceived("opera 13h", MaxReceives)
		s.jobs.ExpectDeadLettered("opera 13h")
	})
}

// Without faults all is known to the second.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		s := open(t, k)
		s.send("poison")
		k.WaitIdle()
		s.jobs.ExpectReceived("poison", MaxReceives)
		s.jobs.ExpectDeadLettered("poison")
		const want = `  #1 "poison"
                0s  sent
                0s  received (1), for 3m0s
                0s  hidden, for 20m0s
             20m0s  visible again, timed out
             20m0s  received (2), for 3m0s
             20m0s  hidden, for 20m0s
             40m0s  visible again, timed out
             40m0s  received (3), for 3m0s
             40m0s  hidden, for 20m0s
            1h0m0s  visible again, timed out
            1h0m0s  moved to the dead-letter queue
            1h0m0s  jobs-dead: arrived
`
		if got := s.jobs.Message("poison").String(); got != want {
			t.Errorf("what became of the poison is\n%s\nwant\n%s", got, want)
		}
	})
}

// Calls are slow, refused, and not answered, at times.
func TestFaults(t *testing.T) {
	faults := overTheNetwork
	faults.Throttle, faults.Lose, faults.Empty = 0.1, 0.02, 0.1
	sqstest.Seeds(t, 100, sqstest.Options{Faults: faults}, func(t *testing.T, k *sqstest.Kit) {
		s := open(t, k)
		jobs := []string{"film 3h", "series 2h", "song 5m", "photo 1s"}
		s.send(append(jobs, "poison")...)
		s.finish(12 * time.Hour)
		s.jobs.ExpectDeleted(jobs...)
		s.jobs.ExpectDeadLettered("poison")
		for _, job := range jobs { // if a receive isn't answered the job is received again, but not done again
			if s.done[job] != 1 {
				t.Errorf("%q was done %d times", job, s.done[job])
			}
		}
	})
}

// The kit finds the bug, and says what happened.
func TestTheBugIsFound(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestTwelveHours|TestTooLong|TestFaults)$", "-bug")
	command.Env = append(os.Environ(), "RESTANTE_SEED=")
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("the tests pass with the bug:\n%s", out)
	}
	for _, want := range []string{"2 workers do", "RESTANTE_SEED=", "visible again, timed out"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the tests fail, but don't say %q:\n%s", want, out)
		}
	}
}
