package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

const (
	handlers = 2        // thumbnails that a worker makes at the same time
	reason   = "Reason" // attribute of dead letters: what was wrong with the image
)

// makeThumbnails is the process of a worker: worker.Run over a queue, which
// happens to be in another process. It receives, extends the visibility timeout
// of what takes long, and deletes what is done.
func makeThumbnails(ctx context.Context, j job, tell func(event)) error {
	images, err := openQueue(ctx, j, queueName)
	if err != nil {
		return err
	}
	defer images.Close()
	dead, err := openQueue(ctx, j, deadName)
	if err != nil {
		return err
	}
	defer dead.Close()
	note := func(w what, d *queue.Delivery) {
		name, _ := d.Attributes.Get(nameOfImage)
		tell(event{What: w, Worker: j.name, ID: d.ID.String(), Name: name.Data})
	}
	handler := worker.With(worker.JSON(thumbnailer(j)), toDeadLetters(dead, func(d *queue.Delivery) { note(setAside, d) }))

	var level slog.LevelVar // who stops has nothing to say about others who do
	defer context.AfterFunc(ctx, func() { level.Set(slog.LevelError) })()

	tell(event{What: ready})
	return worker.Run(ctx, images, handler, worker.Options{
		Concurrency:       handlers,
		VisibilityTimeout: leaseTime,
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: &level})),
		Trace: &worker.Trace{
			Started: func(d *queue.Delivery) { note(started, d) },
			Finished: func(d *queue.Delivery, o worker.Outcome, _ error, _ time.Duration) {
				if o == worker.Done {
					note(finished, d)
				}
			},
		},
	})
}

// thumbnailer returns the handler. A message may come twice, if its worker was
// killed or too slow, and then the thumbnail is made twice. That does no harm: it
// is the same file, and appears whole (see writePNG). Only when it is on the disk
// is the message deleted.
func thumbnailer(j job) func(context.Context, upload, *queue.Delivery) error {
	return func(ctx context.Context, u upload, _ *queue.Delivery) error {
		picture, err := decode(u.Image)
		if err != nil {
			return &brokenError{err}
		}
		select { // as long as it would take with a larger image
		case <-time.After(j.work):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return writePNG(thumbnailFile(j.dir, u.ID), shrink(picture, thumbnailSize))
	}
}

// A brokenError is about an image of which there is no thumbnail, however often
// one tries.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }

// toDeadLetters sends to the dead-letter queue, with the reason, what is broken.
// On a queue of one's own process worker.DeadLetter does that; SQS has no call
// for it. Here it is two, first the copy, then Run's Delete: if the worker ends
// between them there are two dead letters, and not none.
func toDeadLetters(dead queue.Queue, sent func(*queue.Delivery)) worker.Middleware {
	return func(h worker.Handler) worker.Handler {
		return func(ctx context.Context, d *queue.Delivery) error {
			err := h(ctx, d)
			_, broken := errors.AsType[*brokenError](err)
			_, unreadable := errors.AsType[*worker.DecodeError](err)
			if !broken && !unreadable {
				return err
			}
			attributes := maps.Collect(d.Attributes.All())
			attributes[reason] = queue.String(err.Error())
			if _, err := dead.Send(ctx, queue.Message{Body: d.Body, Attributes: queue.NewAttributes(attributes)}); err != nil {
				return fmt.Errorf("to the dead letters: %w", err)
			}
			sent(d)
			return nil
		}
	}
}
