package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// bench is a service over a store in memory, in a bubble of virtual time.
type bench struct {
	*service
	t     *testing.T
	store *queuetest.MemStore
	log   string // name of the file of the records
}

// inBubble runs test with a service, and workers unless there are to be none.
func inBubble(t *testing.T, workers bool, test func(b *bench)) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "done.log")
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, store: queuetest.NewMemStore(), log: name}
		r, err := openRecords(name)
		if err != nil {
			t.Fatal(err)
		}
		defer r.file.Close()
		if b.service, err = openService(t.Context(), b.store, r); err != nil {
			t.Fatal(err)
		}
		defer b.close()
		if workers {
			stop, ended := b.start()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
		}
		test(b)
	})
}

// start serves until stop is called, and then sends what serve returns.
func (b *bench) start() (stop context.CancelFunc, ended chan error) {
	ctx, stop := context.WithCancel(b.t.Context())
	ended = make(chan error, 1)
	go func() { ended <- b.serve(ctx, &noListener{closed: make(chan struct{})}) }() // ends with ctx
	synctest.Wait()
	return stop, ended
}

// noListener is a listener that nobody connects to.
type noListener struct {
	once   sync.Once
	closed chan struct{}
}

func (l *noListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l *noListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *noListener) Addr() net.Addr { return &net.TCPAddr{} }

// ask asks the service, without a network.
func (b *bench) ask(method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.handler().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body)))
	return w
}

// post has a job accepted, and returns its ID.
func (b *bench) post(body string) (id string) {
	b.t.Helper()
	w := b.ask("POST", "/jobs", body)
	var sent struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &sent); err != nil || w.Code != http.StatusAccepted || len(sent.ID) != 36 {
		b.t.Fatalf("POST /jobs %s: %d %s; want 202 and an ID", body, w.Code, w.Body)
	}
	return sent.ID
}

// numbers returns the counters of both queues.
func (b *bench) numbers() (jobs, dead queue.Stats) {
	b.t.Helper()
	var s struct{ Jobs, Dead queue.Stats }
	if err := json.Unmarshal(b.ask("GET", "/stats", "").Body.Bytes(), &s); err != nil {
		b.t.Fatal(err)
	}
	return s.Jobs, s.Dead
}

// done returns the IDs in a log, in order, and fails if a line isn't whole.
func done(t *testing.T, name string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		id, name, _ := strings.Cut(line, " ")
		if len(id) != 36 || len(name) < 2 || !strings.HasSuffix(name, "\n") {
			t.Errorf("%q is no record", line)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestAnswers(t *testing.T) {
	inBubble(t, false, func(b *bench) {
		for _, c := range []struct {
			body    string
			mention string
		}{
			{``, "JSON"},
			{`{"name":`, "JSON"},
			{`{"name":"a"} more`, "invalid character"},
			{`{"name":5}`, "name"},
			{`{}`, "name must be one line"},
			{`null`, "name must be one line"},
			{`{"name":"a\nb"}`, "name must be one line"},
			{`{"name":"a","takes":"long"}`, "invalid duration"},
			{`{"name":"a","takes":"-1s"}`, "must not be negative"},
			{`{"name":"a` + "\uffff" + `"}`, "invalid message contents"},
			{`{"name":"` + strings.Repeat("a", maxBody) + `"}`, "too large"},
		} {
			if w := b.ask("POST", "/jobs", c.body); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), c.mention) {
				b.t.Errorf("POST /jobs %.40s: %d %s; want 400, and %q", c.body, w.Code, w.Body, c.mention)
			}
		}
		if w := b.ask("GET", "/jobs", ""); w.Code != http.StatusMethodNotAllowed {
			b.t.Errorf("GET /jobs: %d; want 405", w.Code)
		}
		b.post(`{"name":"a"}`)
		b.post(`{"name":"b","takes":"1m30s","fails":true}`)
		if jobs, _ := b.numbers(); jobs.Accepted != 2 || jobs.Visible != 2 {
			b.t.Errorf("stats are %+v; want 2 accepted, and nothing that was refused", jobs)
		}
	})
}

func TestFullStore(t *testing.T) {
	inBubble(t, true, func(b *bench) {
		b.post(`{"name":"before","takes":"10s"}`)
		b.store.SetFull(true)
		if w := b.ask("POST", "/jobs", `{"name":"a"}`); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != retryWhenFull {
			b.t.Errorf("POST /jobs on a full store: %d %v; want 503 and Retry-After", w.Code, w.Header())
		}
		time.Sleep(time.Minute)
		if jobs, _ := b.numbers(); jobs.Deleted != 1 {
			b.t.Errorf("stats are %+v; want the job done that was there before", jobs)
		}
		b.store.SetFull(false)
		b.post(`{"name":"after"}`)
	})
}

// 202 is the answer only when the job is durable.
func TestAcceptedMeansDurable(t *testing.T) {
	inBubble(t, false, func(b *bench) {
		b.store.Hold(queue.Durable)
		answered := make(chan *httptest.ResponseRecorder, 1)
		go func() { answered <- b.ask("POST", "/jobs", `{"name":"a"}`) }()
		time.Sleep(time.Second)
		select {
		case w := <-answered:
			b.t.Errorf("answered %d before the job was durable", w.Code)
			b.store.Release()
		default:
			b.store.Release()
			if w := <-answered; w.Code != http.StatusAccepted {
				b.t.Errorf("answered %d; want 202", w.Code)
			}
		}
	})
}

func TestFailedStore(t *testing.T) {
	inBubble(t, false, func(b *bench) {
		_, ended := b.start()
		b.store.Fail()
		if w := b.ask("POST", "/jobs", `{"name":"a"}`); w.Code != http.StatusInternalServerError {
			b.t.Errorf("a job whose commit failed: %d %s; want 500", w.Code, w.Body)
		}
		if err := <-ended; !errors.Is(err, queue.ErrStoreFailed) {
			b.t.Errorf("serve = %v; want it to end with %v", err, queue.ErrStoreFailed)
		}
		if w := b.ask("POST", "/jobs", `{"name":"a"}`); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			b.t.Errorf("a job afterwards: %d %v; want 503 and Retry-After", w.Code, w.Header())
		}
	})
}

func TestLongJobIsDoneOnce(t *testing.T) {
	inBubble(t, true, func(b *bench) {
		id := b.post(`{"name":"long","takes":"3h"}`)
		time.Sleep(4 * time.Hour)
		if jobs, _ := b.numbers(); jobs.Received != 1 || jobs.Deleted != 1 || !slices.Equal(done(b.t, b.log), []string{id}) {
			b.t.Errorf("stats are %+v, done are %v; want one receive, and %s done", jobs, done(b.t, b.log), id)
		}
	})
}

// A job is visible to others as soon as its lease is lost, so its worker stops.
func TestLostLease(t *testing.T) {
	inBubble(t, true, func(b *bench) {
		b.post(`{"name":"long","takes":"1h"}`)
		synctest.Wait()
		if err := b.jobs.Purge(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if jobs, dead := b.numbers(); len(done(b.t, b.log)) != 0 || jobs.InFlight != 0 || dead.Adopted != 0 {
			b.t.Errorf("a purged job: done are %v, stats are %+v, %+v; want it given up", done(b.t, b.log), jobs, dead)
		}
	})
}

func TestHopelessJobIsSetAside(t *testing.T) {
	inBubble(t, true, func(b *bench) {
		b.post(`{"name":"hopeless","takes":"1s","fails":true}`)
		b.post(`{"name":"good"}`)
		time.Sleep(time.Minute)
		jobs, dead := b.numbers()
		if jobs.Received != maxReceives+1 || jobs.Deleted != 1 || jobs.Moved != 1 || dead.Visible != 1 || len(done(b.t, b.log)) != 1 {
			b.t.Errorf("stats are %+v, %+v; want %d tries of one job, and one done", jobs, dead, maxReceives)
		}
		for p, err := range b.dead.Peek(b.t.Context()) {
			if err != nil || p.DeadLetterReason != "it was to fail" || p.DeadLetterSource != "jobs" {
				b.t.Errorf("dead letter is %+v, %v; want the reason", p, err)
			}
		}
	})
}

// If the work can't be recorded the job stays.
func TestNotRecordedIsNotDeleted(t *testing.T) {
	inBubble(t, false, func(b *bench) {
		_, ended := b.start()
		b.records.file.Close()
		b.post(`{"name":"a"}`)
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			b.t.Errorf("serve = %v; want it to end because there is no record", err)
		}
		if jobs, _ := b.numbers(); jobs.Deleted != 0 || jobs.InFlight != 1 {
			b.t.Errorf("stats are %+v; want the job in the queue", jobs)
		}
	})
}

func TestStopFinishesWhatIsInHand(t *testing.T) {
	inBubble(t, false, func(b *bench) {
		stop, ended := b.start()
		for range workers + 3 {
			b.post(`{"name":"a","takes":"5s"}`)
		}
		synctest.Wait()
		began := time.Now()
		stop()
		if err := <-ended; err != nil || time.Since(began) != 5*time.Second {
			b.t.Errorf("serve = %v after %v; want nil after 5s", err, time.Since(began))
		}
		if jobs, _ := b.numbers(); jobs.Deleted != workers || jobs.Visible != 3 || len(done(b.t, b.log)) != workers {
			b.t.Errorf("stats are %+v, done are %v; want those %d done that were in hand", jobs, done(b.t, b.log), workers)
		}
	})
}

func TestStopGivesUpWhatTakesTooLong(t *testing.T) {
	inBubble(t, false, func(b *bench) {
		stop, ended := b.start()
		b.post(`{"name":"long","takes":"1h"}`)
		b.post(`{"name":"short","takes":"5s"}`)
		synctest.Wait()
		began := time.Now()
		stop()
		if err := <-ended; err != nil || time.Since(began) != drainTime {
			b.t.Errorf("serve = %v after %v; want nil after %v", err, time.Since(began), drainTime)
		}
		if jobs, _ := b.numbers(); jobs.Deleted != 1 || jobs.Visible != 1 || len(done(b.t, b.log)) != 1 {
			b.t.Errorf("stats are %+v; want one job done, and the long one back in the queue", jobs)
		}
	})
}

func TestTornRecord(t *testing.T) {
	name := filepath.Join(t.TempDir(), "done.log")
	for text, want := range map[string]string{
		"":             "c d\n",
		"a":            "c d\n",
		"a b\n":        "a b\nc d\n",
		"a b\nx":       "a b\nc d\n",
		"a b\nx y z w": "a b\nc d\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openRecords(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.add("c", "d"), r.file.Close()); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("after %q and another record: %q, %v; want %q", text, got, err, want)
		}
	}
}
