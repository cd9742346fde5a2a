package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/standard"
)

// A stored queue is a queue over a file store in a folder of its own.
type stored struct {
	queue.Queue
	store *filestore.Store
	dir   string
}

// newStored makes a queue in a new folder below dir, or the one in dir itself if
// reopen is set.
func newStored(dir string, kind queue.Kind, o filestore.Options, reopen bool) (*stored, error) {
	if !reopen {
		var err error
		if dir, err = os.MkdirTemp(dir, "store"); err != nil {
			return nil, err
		}
	}
	ctx := context.Background()
	st, err := filestore.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	// Unlimited, so that any number of messages may be in flight, or in a batch.
	cfg := queue.Config{Name: "bench", Limits: queue.Unlimited}
	var q queue.Queue
	if kind == queue.FIFO {
		cfg.Name += ".fifo"
		q, err = fifo.Open(ctx, st, cfg)
	} else {
		q, err = standard.Open(ctx, st, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &stored{q, st, dir}, nil
}

// end closes queue and store.
func (s *stored) end() error { return errors.Join(s.Queue.Close(), s.store.Close()) }

// remove ends it and removes its files.
func (s *stored) remove() error { return errors.Join(s.end(), os.RemoveAll(s.dir)) }

// durableSend measures Send, each of which returns when its message is on disk.
type durableSend struct {
	once
	dir       string
	producers int
	bodies    *ring
	duration  time.Duration
}

func (t *durableSend) round() (_ []value, err error) {
	q, err := newStored(t.dir, queue.Standard, filestore.Options{}, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	// A warm-up, then the measurement.
	if _, err := t.send(q, t.duration/10); err != nil {
		return nil, err
	}
	c, err := t.send(q, t.duration)
	if err != nil {
		return nil, err
	}
	return []value{c.value()}, nil
}

// send lets the producers send for a while.
func (t *durableSend) send(q queue.Queue, d time.Duration) (cost, error) {
	var (
		wg   sync.WaitGroup
		sent = make([]int, t.producers)
		errs = make([]error, t.producers)
	)
	m := startMeter()
	for i := range t.producers {
		bodies := t.bodies.from(i * ringLength / t.producers)
		wg.Go(func() {
			for errs[i] == nil && time.Since(m.began) < d {
				_, errs[i] = q.Send(context.Background(), queue.Message{Body: bodies.next()})
				sent[i]++
			}
		})
	}
	wg.Wait()
	c := m.stop()
	for _, n := range sent {
		c.messages += n
	}
	return c, errors.Join(errs...)
}

// durableLifecycle measures SendBatch, Receive and DeleteBatch: the first and
// the last return when the disk has them.
type durableLifecycle struct {
	once
	dir        string
	batch      int
	goroutines int
	bodies     *ring
	duration   time.Duration
}

func (t *durableLifecycle) round() (_ []value, err error) {
	q, err := newStored(t.dir, queue.Standard, filestore.Options{}, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	// A standing backlog, so that nobody finds the queue empty.
	if err := fill(q, t.bodies.from(0), nil, 100*t.batch); err != nil {
		return nil, err
	}
	workers := make([]func() error, t.goroutines)
	for i := range workers {
		workers[i] = newWorker(q, t.bodies.from(i*ringLength/t.goroutines), nil, t.batch).burst
	}
	c, err := timed(t.duration, workers...)
	if err != nil {
		return nil, err
	}
	return []value{c.value()}, nil
}
