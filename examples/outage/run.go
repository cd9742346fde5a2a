package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

const (
	drainTime       = 30 * time.Second // and the duration once more, for what is left in the queue after the last order
	customerTimeout = 10 * time.Second // for the answer to an order
	maxRate         = 1000
	maxDuration     = time.Minute
)

// settings say what is to happen.
type settings struct {
	rate     int           // orders a second
	duration time.Duration // for which they are sent
	downtime time.Duration // of B, in the middle of that
}

// String is a sentence without its full stop.
func (s settings) String() string {
	orders, down := "1 order", "never down"
	if n := s.orders(); n != 1 {
		orders = fmt.Sprint(n, " orders")
	}
	if s.downtime > 0 {
		down = fmt.Sprint("down for ", s.downtime)
	}
	return fmt.Sprintf("Customers send %s in %v, and B is %s", orders, s.duration, down)
}

// check names the flag that is wrong.
func (s settings) check() error {
	switch {
	case s.rate < 1 || s.rate > maxRate:
		return fmt.Errorf("-rate %d: must be from 1 to %d", s.rate, maxRate)
	case s.duration <= 0 || s.duration > maxDuration:
		return fmt.Errorf("-duration %v: must be more than 0, up to %v", s.duration, maxDuration)
	case s.orders() == 0:
		return fmt.Errorf("-duration %v: too short for one order at -rate %d", s.duration, s.rate)
	case s.downtime < 0:
		return fmt.Errorf("-downtime %v: must not be negative", s.downtime)
	case s.downtime >= s.duration:
		return fmt.Errorf("-downtime %v: must be shorter than -duration, %v", s.downtime, s.duration)
	}
	return nil
}

// orders is how many are sent.
func (s settings) orders() int { return int(s.duration * time.Duration(s.rate) / time.Second) }

// workers is how many call B at the same time: enough for more than twice the
// rate, so that what has piled up is done in less than B's downtime.
func (s settings) workers() int { return int(5*workTime*time.Duration(s.rate)/(2*time.Second)) + 1 }

// A history is what the people and machines of a lane have written down.
type history struct {
	queued      bool
	begin       time.Time
	orders      []sentOrder    // number n at n-1
	records     map[int]record // of B, by number
	down, again time.Time      // when B went down, and was up again; zero if it did not
	left        int            // messages in the queue at the end
}

// A sentOrder is what a customer knows.
type sentOrder struct {
	at  time.Time
	yes bool // A took the order
}

// run lets both lanes live through the same, and returns their histories. When
// it returns, nothing that it started is running.
func run(ctx context.Context, s settings) (histories []history, err error) {
	var lanes []*lane
	defer func() {
		for _, l := range lanes {
			err = errors.Join(err, l.close())
		}
	}()
	for _, queued := range []bool{false, true} {
		l := &lane{queued: queued}
		lanes = append(lanes, l)
		if err := l.open(ctx); err != nil {
			return nil, err
		}
	}

	histories = make([]history, len(lanes))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var both sync.WaitGroup // they end by themselves, or when one fails
	begin := time.Now()
	for i, l := range lanes {
		both.Go(func() {
			var err error
			if histories[i], err = l.play(ctx, s, begin); err != nil {
				stop(err)
			}
		})
	}
	both.Wait()
	return histories, context.Cause(ctx) // what went wrong first
}

// A lane is one A, one B, and what is between them.
type lane struct {
	queued   bool
	toA, toB *http.Client
	a        *serviceA
	b        *serviceB
	broker   *broker.Broker // nil unless queued, and so is q
	q        queue.Queue
}

// open starts both services. Call close, whether it succeeds or not.
func (l *lane) open(ctx context.Context) (err error) {
	l.toA, l.toB = newClient(), newClient()
	if l.b, err = startB(); err != nil {
		return err
	}
	forward := callB(l.toB, l.b.url())
	if l.queued {
		l.broker = broker.New(broker.Options{})
		q, err := l.broker.Create(ctx, "orders", queue.Config{VisibilityTimeout: 4 * callTimeout})
		if err != nil {
			return err
		}
		l.q, forward = q, sendTo(q)
	}
	l.a, err = startA(forward)
	return err
}

// close ends what open started: first who asks, then who answers.
func (l *lane) close() error {
	var errs []error
	l.toA.CloseIdleConnections()
	if l.a != nil {
		errs = append(errs, l.a.stop())
	}
	l.toB.CloseIdleConnections()
	if l.b != nil {
		errs = append(errs, l.b.kill())
	}
	if l.broker != nil {
		errs = append(errs, l.broker.Close())
	}
	return errors.Join(errs...)
}

// play lets customers send their orders, and B go down and come back.
func (l *lane) play(ctx context.Context, s settings, begin time.Time) (history, error) {
	h := history{queued: l.queued, begin: begin}
	working, stop := context.WithCancelCause(ctx)
	var workers, story sync.WaitGroup // stop ends the workers, and the story if it has not ended by itself
	if l.queued {
		for range s.workers() {
			workers.Go(func() {
				if err := work(working, l.q, l.toB, l.b.url()); err != nil {
					stop(err)
				}
			})
		}
	}
	story.Go(func() {
		h.orders = l.customers(working, s, begin)
	})
	if s.downtime > 0 {
		story.Go(func() {
			var err error
			if h.down, h.again, err = l.outage(working, s, begin); err != nil {
				stop(err)
			}
		})
	}
	story.Wait()
	var err error
	h.left, err = l.drain(working, drainTime+s.duration)
	if working.Err() != nil {
		err = context.Cause(working) // what went wrong first
	}
	stop(nil)
	workers.Wait()
	h.records = l.b.all()
	return h, err
}

// customers sends orders at a steady rate, and returns what their customers
// know when all have an answer, or when ctx ends. Nobody waits for another one's
// answer.
func (l *lane) customers(ctx context.Context, s settings, begin time.Time) []sentOrder {
	orders := make([]sentOrder, s.orders())
	var asking sync.WaitGroup // each ends with its answer, at customerTimeout, or with ctx
	defer asking.Wait()
	for i := range orders {
		at := begin.Add(time.Duration(i) * time.Second / time.Duration(s.rate))
		if sleep(ctx, time.Until(at)) != nil {
			break
		}
		asking.Go(func() {
			orders[i].at = time.Now()
			orders[i].yes = post(ctx, l.toA, l.a.url, order{Number: i + 1}, customerTimeout) == nil
		})
	}
	return orders
}

// outage kills B and lets it come back. It returns when that was.
func (l *lane) outage(ctx context.Context, s settings, begin time.Time) (down, again time.Time, err error) {
	if err := sleep(ctx, time.Until(begin.Add((s.duration-s.downtime)/2))); err != nil {
		return down, again, err
	}
	down = time.Now()
	if err := l.b.kill(); err != nil {
		return down, again, err
	}
	if err := sleep(ctx, s.downtime); err != nil {
		return down, again, err
	}
	err = l.b.comeBack(ctx)
	return down, time.Now(), err
}

// drain waits until nothing is left in the queue. After limit it gives up. It
// returns how much is left. Its error is that ctx has ended.
func (l *lane) drain(ctx context.Context, limit time.Duration) (left int, err error) {
	if !l.queued {
		return 0, ctx.Err()
	}
	inspector, ok := queue.As[queue.Inspector](l.q)
	if !ok {
		return 0, errors.New("internal error: a queue of the broker can't be looked into")
	}
	for began := time.Now(); ; {
		s, err := inspector.Stats(ctx)
		if err != nil {
			return 0, err
		}
		left = s.Pending + s.Delayed + s.Visible + s.InFlight
		if left == 0 || time.Since(began) > limit {
			return left, ctx.Err()
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return left, err
		}
	}
}

// sleep returns after d, or with an error when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
