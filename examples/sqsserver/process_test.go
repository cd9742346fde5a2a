package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
)

// What was acknowledged is there after a kill.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queues")
	var want, got []string
	for round := range 3 {
		s := launch(t, "-dir", dir, "-queue", "orders")
		url := s.url("orders")
		for n := range 10 {
			body := fmt.Sprintf("message %d of round %d", n, round)
			s.send(url, body)
			want = append(want, body)
		}
		s.process.Process.Kill()
		s.ended(5 * time.Second)
	}
	s := launch(t, "-dir", dir)
	url := s.url("orders")
	for {
		bodies := s.receive(url, 0)
		if len(bodies) == 0 {
			break
		}
		got = append(got, bodies...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("received %q; want %q", got, want)
	}
}

// A second process is told that the directory is taken.
func TestSecondProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queues")
	launch(t, "-dir", dir)
	status, _, errOut := try(t, "-addr", "127.0.0.1:0", "-dir", dir)
	if status != 1 || !strings.Contains(errOut, queue.ErrStoreLocked.Error()) {
		t.Errorf("status %d, says %q; want 1, and %q", status, errOut, queue.ErrStoreLocked)
	}
}

// poll receives by a request in either protocol. It calls begun when the server has
// the request in its hands: then it asks for the body.
func poll(s *server, url, body string, begun func()) (int, string) {
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{Got100Continue: begun})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Expect", "100-continue")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if body[0] == '{' {
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
	}
	transport := &http.Transport{ExpectContinueTimeout: 20 * time.Second}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

// A signal releases who waits, at once, and loses nothing.
func TestStopDuringALongPoll(t *testing.T) {
	needsUnix(t)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		dir := filepath.Join(t.TempDir(), "queues")
		s := launch(t, "-v", "-dir", dir, "-queue", "orders", "-queue", "empty")
		orders, empty := s.url("orders"), s.url("empty")
		s.send(orders, "a")
		var polls, begun sync.WaitGroup
		const json = `{"QueueUrl":"http://localhost/000000000000/empty","WaitTimeSeconds":20}`
		for _, body := range []string{json, json, "Action=ReceiveMessage&WaitTimeSeconds=20"} {
			begun.Add(1)
			polls.Go(func() {
				if status, text := poll(s, empty, body, begun.Done); status != 503 {
					t.Errorf("a long poll ended with %d, %s; want 503", status, text)
				}
			})
		}
		begun.Wait()
		time.Sleep(100 * time.Millisecond) // so that they wait; if not, they end as well
		began := time.Now()
		s.process.Process.Signal(signal)
		if status := s.ended(10 * time.Second); status != 0 || time.Since(began) > 2*time.Second {
			t.Errorf("after %v: status %d in %v; want 0, at once", signal, status, time.Since(began))
		}
		polls.Wait()
		if !strings.HasSuffix(s.errOut.String(), "sqsserver: stopped\n") {
			t.Errorf("it logged %s", s.errOut.String())
		}
		again := launch(t, "-dir", dir)
		if got := again.receive(again.url("orders"), 0); !slices.Equal(got, []string{"a"}) {
			t.Errorf("received %q after the stop", got)
		}
	}
}

// A client that doesn't finish its request holds nobody up for long; who has no
// patience sends a second signal.
func TestStopDuringARequest(t *testing.T) {
	needsUnix(t)
	for _, signals := range []int{1, 2} {
		s := launch(t, "-queue", "orders")
		c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n{")
		if line, err := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, "100 Continue") {
			t.Fatalf("the server says %q, %v; want that it goes on", line, err)
		}
		began := time.Now()
		s.stop()
		for signals == 2 && len(s.exited) == 0 && time.Since(began) < drainTime {
			time.Sleep(20 * time.Millisecond)
			s.stop()
		}
		status := s.ended(drainTime + 5*time.Second)
		took := time.Since(began)
		if signals == 1 && (status != 0 || took < drainTime) || signals == 2 && (status == 0 || took > drainTime-time.Second) {
			t.Errorf("%d signals: status %d in %v", signals, status, took)
		}
	}
}

// socketPath returns a path that is short enough for a socket anywhere.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// Two clients share a queue through a socket, and what one of them sends the
// other one receives. The server is a process of its own.
func TestSocket(t *testing.T) {
	needsUnix(t)
	path := socketPath(t)
	s := launch(t, "-addr", "unix:"+path, "-queue", "orders")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v; want 0600", info.Mode(), err)
	}
	if !strings.Contains(s.out.String(), path) || strings.Contains(s.out.String(), "AWS_ENDPOINT_URL_SQS") {
		t.Errorf("it printed %s", s.out.String())
	}
	if status, body := s.get("/health"); status != 200 {
		t.Errorf("/health: %d, %s", status, body)
	}
	producer, consumer := overSocket(t, path), overSocket(t, path)
	url := producer.url("orders")
	if url != "http://localhost/000000000000/orders" {
		t.Errorf("the queue's URL is %s", url)
	}
	const n = 100
	var team sync.WaitGroup
	team.Go(func() {
		for i := range n {
			if err := producer.call("SendMessage", fields{"QueueUrl": url, "MessageBody": fmt.Sprint(i)}, nil); err != nil {
				t.Error(err)
			}
		}
	})
	got := make(map[string]bool)
	for len(got) < n {
		bodies := consumer.receive(url, 20)
		if len(bodies) == 0 {
			t.Error("nothing came for 20s")
			break
		}
		for _, body := range bodies {
			got[body] = true
		}
	}
	team.Wait()

	// -check is a client, too.
	if status, _, errOut := try(t, "-check", "-addr", "unix:"+path); status != 0 {
		t.Errorf("-check: status %d, %s", status, errOut)
	}
	s.stop()
	if status := s.ended(5 * time.Second); status != 0 {
		t.Errorf("status %d: %s", status, s.errOut.String())
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is left behind")
	}
	if status, _, _ := try(t, "-check", "-addr", "unix:"+path); status != 1 {
		t.Errorf("-check of nobody: status %d", status)
	}
}

// A socket is removed if nobody listens on it, and nothing else is.
func TestStaleSocket(t *testing.T) {
	needsUnix(t)
	path := socketPath(t)
	s := launch(t, "-addr", "unix:"+path)
	if status, _, errOut := try(t, "-addr", "unix:"+path); status != 1 || !strings.Contains(errOut, "another process listens there") {
		t.Errorf("a second server: status %d, says %q", status, errOut)
	}
	s.process.Process.Kill()
	s.ended(5 * time.Second)
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("after a kill: %v; want a stale socket", err)
	}
	s = launch(t, "-addr", "unix:"+path)
	if status, body := s.get("/health"); status != 200 {
		t.Errorf("/health: %d, %s", status, body)
	}

	file := socketPath(t)
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := socketPath(t)
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, filepath.Dir(file)} {
		if status, _, errOut := try(t, "-addr", "unix:"+path); status != 1 || !strings.Contains(errOut, "is no socket") {
			t.Errorf("%s: status %d, says %q", path, status, errOut)
		}
	}
	if text, err := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

func TestCheck(t *testing.T) {
	s := serveHere(t)
	addr := strings.TrimPrefix(s.base, "http://")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{addr, "0.0.0.0:" + port, ":" + port} {
		if status, out, errOut := try(t, "-check", "-addr", addr); status != 0 || out+errOut != "" {
			t.Errorf("-check -addr %s: status %d, %s%s", addr, status, out, errOut)
		}
	}
	s.stop()
	s.ended(5 * time.Second)
	if status, _, errOut := try(t, "-check", "-addr", addr); status != 1 || errOut == "" {
		t.Errorf("-check of nobody: status %d, %s", status, errOut)
	}
}
