package sqsapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// maxMemory is what the whole test program may take under attack.
const maxMemory = 200 << 20

// hostile is a server under attack, and what watches it.
type hostile struct {
	*testing.T
	server *httptest.Server
	peak   atomic.Uint64
}

func newHostile(t *testing.T) *hostile {
	b := broker.New(broker.Options{})
	t.Cleanup(func() { b.Close() })
	if _, err := b.CreateQueue(t.Context(), "q", nil); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", sqsapi.Handler(b, sqsapi.Options{}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	h := &hostile{T: t, server: httptest.NewServer(mux)}
	t.Cleanup(h.server.Close)

	runtime.GC()
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			h.peak.Store(max(h.peak.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		watching.Wait()
		t.Logf("memory at most %d MiB", h.peak.Load()>>20)
		if h.peak.Load() > maxMemory {
			t.Errorf("memory rose to %d MiB, want at most %d", h.peak.Load()>>20, maxMemory>>20)
		}
	})
	return h
}

// healthy asserts that the server answers others: half of the time within a
// second, on however busy a machine.
func (h *hostile) healthy() {
	h.Helper()
	client := &http.Client{Timeout: 30 * time.Second}
	var took []time.Duration
	for range 9 {
		began := time.Now()
		r, err := client.Get(h.server.URL + "/health")
		if err != nil {
			h.Fatalf("/health under attack: %v", err)
		}
		r.Body.Close()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	if took[len(took)/2] > time.Second {
		h.Errorf("/health answers in %v, in the middle of %d times", took[len(took)/2], len(took))
	}
}

// request begins a request for SendMessage on a connection of its own.
func (h *hostile) request(headers string) net.Conn {
	h.Helper()
	c, err := net.Dial("tcp", h.server.Listener.Addr().String())
	if err != nil {
		h.Fatal(err)
	}
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"+
		"Content-Type: application/x-amz-json-1.0\r\n%s\r\n", headers)
	return c
}

// A body without end is cut off soon after the limit.
func TestEndlessBody(t *testing.T) {
	h := newHostile(t)
	c := h.request("Transfer-Encoding: chunked\r\n")
	defer c.Close()
	chunk := strings.Repeat("a", 1<<20)
	sent := 0
	for sent < 1<<30 {
		n, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(chunk), chunk)
		sent += n
		if err != nil {
			break // the server hung up
		}
	}
	if sent >= 1<<30 {
		t.Error("the server read 1 GiB")
	}
	t.Logf("hung up after %d MiB", sent>>20)
	h.healthy()
}

// An announced length is not believed, and one beyond the limit refused unread.
func TestAnnouncedBody(t *testing.T) {
	h := newHostile(t)
	var conns []net.Conn
	for range 200 {
		conns = append(conns, h.request("Content-Length: 6000000\r\n"))
	}
	h.healthy()
	for _, c := range conns {
		c.Close()
	}
	c := h.request("Content-Length: 1073741824\r\n")
	defer c.Close()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("1 GiB announced: %v, %v; want 413", r, err)
	}
}

func TestDeepNesting(t *testing.T) {
	h := newHostile(t)
	const depth = 1_000_000
	for _, body := range []string{
		strings.Repeat("[", depth) + strings.Repeat("]", depth),
		strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
		`{"QueueUrl":` + strings.Repeat("[", depth),
	} {
		r, err := http.NewRequest("POST", h.server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "SerializationException") {
			t.Errorf("%.20s...: %d %s, want 400 SerializationException", body, answer.StatusCode, text)
		}
	}
	h.healthy()
}

// Many parameters with many parts make no large tree.
func TestWideForm(t *testing.T) {
	h := newHostile(t)
	var b strings.Builder
	b.WriteString("Action=SendMessage")
	for i := 0; b.Len() < 6<<20; i++ {
		fmt.Fprintf(&b, "&MessageAttribute.%d.a.b.c.d.e.f.g=1", i)
	}
	answer, err := http.Post(h.server.URL, "application/x-www-form-urlencoded", strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("%d, want 404: MalformedQueryString", answer.StatusCode)
	}
	h.healthy()
}

func TestDribblingConnections(t *testing.T) {
	h := newHostile(t)
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 500 {
		c := h.request("Transfer-Encoding: chunked\r\n")
		all.Go(func() {
			defer c.Close()
			for {
				if _, err := io.WriteString(c, "1\r\n \r\n"); err != nil {
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	h.healthy()
	close(stop)
	all.Wait()
}

// Many large requests at once share bounded memory: those beyond it are asked to
// come again, which SDKs do by themselves.
func TestManyLargeBodies(t *testing.T) {
	h := newHostile(t)
	piece := strings.Repeat(" ", 1<<20)
	var conns []net.Conn
	for range 60 { // each would hold 5 MiB
		c := h.request("Content-Length: 6000000\r\n")
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
		for range 5 {
			if _, err := io.WriteString(c, piece); err != nil {
				break // refused
			}
		}
		conns = append(conns, c)
	}
	h.healthy()
	refused := 0
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		line, _ := bufio.NewReader(c).ReadString('\n')
		if strings.Contains(line, "503") {
			refused++
		}
		c.Close()
	}
	if refused == 0 {
		t.Error("60 bodies of 5 MiB are held at once")
	}
	t.Logf("%d of 60 were asked to come again", refused)
}

// A body of many small values would take many times its size to read.
func TestManyValues(t *testing.T) {
	h := newHostile(t)
	for _, body := range []string{
		`{"x":[` + strings.Repeat(`{"":0},`, 800_000) + `0]}`,
		`{"x":[` + strings.Repeat("0,", 3_000_000) + `0]}`,
	} {
		r, err := http.NewRequest("POST", h.server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AmazonSQS.ListQueues")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20s...: %d, want 400", body, answer.StatusCode)
		}
	}
	h.healthy()
}

// A message keeps nothing of the request that it came in.
func TestMessagesLetGoOfTheirRequests(t *testing.T) {
	h := newHostile(t)
	pad := strings.Repeat("p", 5<<20)
	for range 60 {
		r, err := http.NewRequest("POST", h.server.URL, strings.NewReader(`{"QueueUrl":"q","MessageBody":"x","pad":"`+pad+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("SendMessage: %d", answer.StatusCode)
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 100<<20 {
		t.Errorf("60 messages of a byte hold %d MiB", m.HeapAlloc>>20)
	}
}

// Large requests that wait hold nothing that others need.
func TestLargeLongPollsStarveNobody(t *testing.T) {
	h := newHostile(t)
	body := `{"QueueUrl":"q","WaitTimeSeconds":20,"pad":"` + strings.Repeat("p", 5<<20) + `"}`
	for range 12 {
		c, err := net.Dial("tcp", h.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	for range 20 {
		answer, err := http.Get(h.server.URL + "/?Action=ListQueues")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("beside large long polls: %d", answer.StatusCode)
		}
	}
}
