package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

const (
	webServers = 3
	workers    = 3
	drainTime  = 30 * time.Second // for what is left in the queue after the last upload
)

// A stage is all that runs.
type stage struct {
	settings
	dir      string
	progress func(format string, args ...any)
	journal  journal

	queue   *process
	servers []*process
	workers []*process // all that were started; one at a time changes them
	proxy   *http.Server
	client  client
}

// run lets it all happen, with its files in dir. When it returns, nothing that it
// started is running.
func run(ctx context.Context, s settings, dir string, progress func(string, ...any)) (r *result, err error) {
	pictures, source, err := collect(ctx, s.images)
	if err != nil {
		return nil, err
	}
	bad, err := broken()
	if err != nil {
		return nil, err
	}
	progress("%s, %s, and a broken one", count(len(pictures), "image"), source)
	pictures = slices.Insert(pictures, len(pictures)/3, bad)

	st := &stage{settings: s, dir: dir, progress: progress}
	defer func() { err = errors.Join(err, st.close()) }()
	if err := st.open(); err != nil {
		return nil, err
	}
	return st.play(ctx, pictures)
}

// open starts everybody, from the queue to the proxy. Call close, whether it
// succeeds or not.
func (st *stage) open() (err error) {
	for _, folder := range []string{"uploads", "thumbnails"} {
		if err := os.Mkdir(filepath.Join(st.dir, folder), 0o700); err != nil {
			return err
		}
	}
	if st.queue, err = st.launch("queue", "queue"); err != nil {
		return err
	}
	var urls []*url.URL
	for i := range webServers {
		server, err := st.launch("web", fmt.Sprint("web ", i+1))
		if err != nil {
			return err
		}
		st.servers = append(st.servers, server)
		at, err := url.Parse(server.url)
		if err != nil {
			return err
		}
		urls = append(urls, at)
	}
	for range workers {
		if _, err := st.hire(); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	st.proxy = &http.Server{Handler: roundRobin(urls), ReadHeaderTimeout: clientTimeout}
	go st.proxy.Serve(listener) // close ends it
	st.client = client{
		http:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: customers}},
		proxy: "http://" + listener.Addr().String(),
	}
	st.progress("queue at %s; proxy at %s, %d web servers behind it; %d workers", st.queue.url, st.client.proxy, webServers, workers)
	return nil
}

// launch starts a process that knows where the queue is.
func (st *stage) launch(role, name string) (*process, error) {
	j := job{role: role, name: name, dir: st.dir, work: st.work}
	if st.queue != nil {
		j.queue = st.queue.url
	}
	return launch(j, st.journal.hear)
}

// hire starts one more worker.
func (st *stage) hire() (*process, error) {
	w, err := st.launch("worker", fmt.Sprint("worker ", len(st.workers)+1))
	if err != nil {
		return nil, err
	}
	st.workers = append(st.workers, w)
	return w, nil
}

// play lets the client upload, and a worker die meanwhile, and sees what became of
// it all.
func (st *stage) play(ctx context.Context, pictures []picture) (*result, error) {
	var kills []kill
	var failure error         // of the killer
	var killer sync.WaitGroup // ends when it has killed somebody, or with working
	defer killer.Wait()
	working, finish := context.WithCancel(ctx)
	defer finish()
	began := time.Now()
	begun := st.journal.watch(len(pictures) / 2)
	killer.Go(func() { kills, failure = st.kill(working, begun) })

	uploads, err := st.client.uploadAll(ctx, pictures)
	if err != nil {
		return nil, err
	}
	st.progress("all images are uploaded, and %d done so far", st.journal.done())
	images, err := openWire(ctx, st.client.http, st.queue.url, queueName)
	if err != nil {
		return nil, err
	}
	defer images.Close()
	if err := st.drain(ctx, images); err != nil {
		return nil, err
	}
	took := time.Since(began)
	finish()
	killer.Wait()
	if failure != nil {
		return nil, failure
	}
	for i := range uploads {
		if err := st.client.fetch(ctx, &uploads[i]); err != nil {
			return nil, err
		}
	}
	letters, err := st.deadLetters(ctx)
	return &result{uploads: uploads, events: st.journal.all(), kills: kills, letters: letters, took: took}, err
}

// A kill is what was done to a worker.
type kill struct {
	worker, successor string
	inHand            int // messages that it had begun and not finished
}

// maxKills is how many workers are killed if they turn out to have had nothing in
// their hands: it may be finished before the signal reaches them.
const maxKills = 3

// kill kills a worker that has begun a message, and puts another one in its
// place. That ctx has ended is no error.
func (st *stage) kill(ctx context.Context, begun <-chan event) (kills []kill, err error) {
	for len(kills) < maxKills {
		var e event
		select {
		case e = <-begun:
		case <-ctx.Done():
			return kills, nil
		}
		time.Sleep(st.work / 2) // in the middle of the work
		victim := slices.IndexFunc(st.workers, func(p *process) bool { return p.name == e.Worker })
		st.workers[victim].kill()
		successor, err := st.hire()
		if err != nil {
			return nil, err
		}
		k := kill{e.Worker, successor.name, st.journal.inHand(e.Worker)}
		kills = append(kills, k)
		st.progress("kill -9: %s, with %s in its hands; %s takes its place", k.worker, count(k.inHand, "message"), k.successor)
		if k.inHand > 0 {
			break
		}
		begun = st.journal.watch(0)
	}
	return kills, nil
}

// drain waits until nothing is left in the queue.
func (st *stage) drain(ctx context.Context, q *wireQueue) error {
	told := time.Now()
	for began := told; ; {
		left, err := q.left(ctx)
		switch {
		case err != nil:
			return err
		case left == 0:
			return nil
		case time.Since(began) > drainTime:
			return fmt.Errorf("%s left in the queue after %v", count(left, "message"), drainTime)
		case time.Since(told) > time.Second:
			st.progress("%s left", count(left, "message"))
			told = time.Now()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A deadLetter is what the dead-letter queue has of an image.
type deadLetter struct{ name, reason string }

// deadLetters looks through the dead-letter queue. The images stay where they are.
func (st *stage) deadLetters(ctx context.Context) (letters []deadLetter, err error) {
	q, err := openWire(ctx, st.client.http, st.queue.url, deadName)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	for {
		got, err := q.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxReceive, Wait: queue.None})
		if err != nil || len(got) == 0 {
			return letters, err
		}
		for _, d := range got {
			name, _ := d.Attributes.Get(nameOfImage)
			why, ok := d.Attributes.Get(reason)
			if !ok {
				why = queue.String(fmt.Sprintf("received %d times and never done", d.ReceiveCount))
			}
			letters = append(letters, deadLetter{name.Data, why.Data})
		}
	}
}

// close ends what open started, first who asks, then who answers.
func (st *stage) close() error {
	var errs []error
	errs = append(errs, stopAll(st.workers))
	if st.proxy != nil {
		st.client.http.CloseIdleConnections()
		errs = append(errs, st.proxy.Close())
	}
	errs = append(errs, stopAll(st.servers))
	if st.queue != nil {
		errs = append(errs, st.queue.stop())
	}
	return errors.Join(errs...)
}
