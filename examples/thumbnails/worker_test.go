package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

// handlerIn returns a worker's handler, its folder and its dead-letter queue.
func handlerIn(t *testing.T) (h worker.Handler, dir string, dead *standard.Queue) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(dir+"/thumbnails", 0o700); err != nil {
		t.Fatal(err)
	}
	dead, err := standard.New(queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dead.Close() })
	return worker.With(worker.JSON(thumbnailer(job{dir: dir})), toDeadLetters(dead, func(*queue.Delivery) {})), dir, dead
}

func delivery(t *testing.T, p picture) *queue.Delivery {
	t.Helper()
	body, err := json.Marshal(upload{ID: idOf(p.data), Image: p.data})
	if err != nil {
		t.Fatal(err)
	}
	return &queue.Delivery{Message: queue.Message{
		Body: string(body), Attributes: queue.NewAttributes(map[string]queue.Value{nameOfImage: queue.String(p.name)}),
	}}
}

// At least once: a second time changes nothing.
func TestHandlerTwice(t *testing.T) {
	h, dir, _ := handlerIn(t)
	pictures, err := paint(1)
	if err != nil {
		t.Fatal(err)
	}
	var files [2][]byte
	for i := range files {
		if err := h(t.Context(), delivery(t, pictures[0])); err != nil {
			t.Fatal(err)
		}
		if files[i], err = os.ReadFile(thumbnailFile(dir, idOf(pictures[0].data))); err != nil {
			t.Fatal(err)
		}
	}
	if string(files[0]) != string(files[1]) {
		t.Error("the second thumbnail is another one")
	}
}

// What can't be done is a dead letter that says why, and is done with.
func TestHandlerOfBrokenImages(t *testing.T) {
	h, _, dead := handlerIn(t)
	bad, err := broken()
	if err != nil {
		t.Fatal(err)
	}
	d := delivery(t, bad)
	nonsense := *d
	nonsense.Body = "nonsense"
	for _, d := range []*queue.Delivery{d, &nonsense} {
		if err := h(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		got, err := dead.Receive(t.Context(), queue.ReceiveOptions{})
		if err != nil || len(got) != 1 {
			t.Fatalf("%d dead letters, %v", len(got), err)
		}
		name, _ := got[0].Attributes.Get(nameOfImage)
		why, _ := got[0].Attributes.Get(reason)
		if got[0].Body != d.Body || name.Data != bad.name || why.Data == "" {
			t.Errorf("the dead letter is %v, %v, %.30s", name, why, got[0].Body)
		}
	}
	dead.Close()
	if err := h(t.Context(), d); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("without a dead-letter queue: %v; want that the message stays", err)
	}
}

// A handler whose time is over says so, and the message comes back.
func TestHandlerStops(t *testing.T) {
	pictures, err := paint(1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(worker.ErrStopping)
	h := worker.JSON(thumbnailer(job{dir: t.TempDir(), work: leaseTime}))
	if err := h(ctx, delivery(t, pictures[0])); !errors.Is(err, worker.ErrStopping) {
		t.Errorf("it returns %v", err)
	}
}
