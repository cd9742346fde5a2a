package broker

import (
	"context"
	"errors"
	"time"

	"github.com/restantemq/restante/queue"
)

// run starts the goroutine of a running task. It ends with the task, when the
// source is deleted, or when the broker is closed.
func (h *hub) run(t *task) {
	ctx, stop := context.WithCancel(h.ctx)
	h.mu.Lock()
	t.stop, t.done = stop, make(chan struct{})
	h.tasks[t.id] = t
	h.mu.Unlock()
	h.running.Go(func() {
		defer close(t.done)
		defer stop()
		h.move(ctx, t)
	})
}

// abandon ends a task's goroutine, if it has one, and waits for it. What the task
// is then does not matter any more.
func (t *task) abandon() {
	if t.done != nil {
		t.stop()
		<-t.done
	}
}

// move is the goroutine of a task: it moves a batch at a time. If there is a rate,
// no second sees more than that many messages, wherever it begins: as many batches
// as make up the rate, or a little less, are evenly spaced, and a late one is not
// made up for.
func (h *hub) move(ctx context.Context, t *task) {
	rate, batch := t.options.PerSecond, moveBatch
	var pause time.Duration
	if rate > 0 {
		batch = max(1, rate/10)
		batches := time.Duration(rate / batch)        // a second
		pause = (time.Second + batches - 1) / batches // rounded up
	}
	for {
		sleep(ctx, pause) // besides the time that a move takes
		err := ctx.Err()
		if err == nil {
			err = h.moveBatch(ctx, t, batch)
		}
		if h.settle(ctx, t, err) {
			return
		}
	}
}

// moveBatch moves up to limit messages, and counts them.
func (h *hub) moveBatch(ctx context.Context, t *task, limit int) error {
	var destination *Queue
	if t.options.Destination != "" {
		if destination = h.find(t.options.Destination); destination == nil {
			return ErrQueueNotFound
		}
	}
	stranded := false
	next, moved, err := t.source.local().Redrive(ctx, t.from, t.to, limit, func(source string) (queue.Adopter, error) {
		if destination != nil {
			return destination, nil
		}
		if _, _, ok := parseARN(source); !ok {
			return nil, nil // it was sent here, and stays: what SQS does is not documented
		}
		if q := h.find(source); q != nil && q.kind == t.source.kind {
			return q, nil
		}
		stranded = true
		return nil, nil
	})
	h.mu.Lock()
	t.from = max(t.from, next)
	t.moved += moved
	t.stranded = t.stranded || stranded
	h.mu.Unlock()
	return err
}

// settle records how a task stands after a batch that ended with err, and reports
// whether the task is over. A task that runs when the broker is closed is not: it
// stays Running in the catalogue. Nobody is told of an end before it is durable.
func (h *hub) settle(ctx context.Context, t *task, err error) (over bool) {
	h.mu.Lock()
	status, failure := t.status, ""
	switch {
	case status == Cancelling:
		status = Cancelled
	case ctx.Err() != nil:
		_, _ = h.noteTask(t) // a batch may have moved as the broker was closed
		h.mu.Unlock()
		return true
	case errors.Is(err, ErrQueueNotFound) || errors.Is(err, queue.ErrQueueDeleted):
		status, failure = Failed, nonExistentQueue
	case err != nil:
		status, failure = Failed, err.Error()
	case t.from >= t.to && t.stranded:
		status, failure = Failed, nonExistentQueue
	case t.from >= t.to:
		status = Completed
	case time.Since(time.UnixMilli(t.started)) > maxTaskTime:
		status, failure = Failed, "The task has run for 36 hours, the longest time allowed."
	}
	t.over = status != Running
	ended := *t
	ended.status, ended.failure = status, failure
	commit, err := h.noteTask(&ended)
	h.mu.Unlock()
	if !t.over {
		return false
	}
	if err == nil && h.store != nil {
		err = h.store.Wait(commit, queue.Durable)
	}
	h.mu.Lock()
	if t.status, t.failure = status, failure; err != nil { // opening the broker tells
		t.status, t.failure = Failed, err.Error()
	}
	h.mu.Unlock()
	return true
}

// noteTask hands the entry of a task to the store. The caller must hold h.mu, so
// that entries of one task come in order.
func (h *hub) noteTask(t *task) (queue.Commit, error) {
	if h.store == nil {
		return 0, nil
	}
	return h.note(t.entry())
}

// sleep returns when d has passed or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
