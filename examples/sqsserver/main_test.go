package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// With this variable set, the test binary is the program.
const asProgram = "RESTANTE_SQSSERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A record is what a server prints, which may be read meanwhile.
type record struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// A server is the program, in this process or in one of its own.
type server struct {
	t           *testing.T
	out, errOut record
	exited      chan int  // gets the exit status
	stop        func()    // asks it to stop
	process     *exec.Cmd // nil in this process
	client
}

// serveHere runs the program in this process.
func serveHere(t *testing.T, args ...string) *server {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &server{t: t, exited: make(chan int, 1), stop: stop}
	args = append([]string{"-addr", "127.0.0.1:0"}, args...)
	go func() { s.exited <- command(ctx, args, &s.out, &s.errOut) }() // ends with t's context
	t.Cleanup(func() {
		stop()
		s.ended(5 * time.Second)
	})
	s.await()
	return s
}

// launch runs the program as a process.
func launch(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, exited: make(chan int, 1)}
	args = append([]string{"-addr", "127.0.0.1:0"}, args...)
	s.process = exec.Command(os.Args[0], args...)
	s.process.Env = append(os.Environ(), asProgram+"=1")
	s.process.Stdout, s.process.Stderr = &s.out, &s.errOut
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends when the process does
		s.process.Wait()
		s.exited <- s.process.ProcessState.ExitCode()
	}()
	s.stop = func() { s.process.Process.Signal(syscall.SIGTERM) }
	t.Cleanup(func() {
		s.process.Process.Kill()
		s.ended(5 * time.Second)
	})
	s.await()
	return s
}

var endpointLine = regexp.MustCompile(`serving on (\S+),`)

// await returns when the server listens.
func (s *server) await() {
	s.t.Helper()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		if m := endpointLine.FindStringSubmatch(s.errOut.String()); m != nil && strings.Contains(s.out.String(), "AWS_REGION") {
			if path, ok := strings.CutPrefix(m[1], "unix:"); ok {
				s.client = overSocket(s.t, path)
			} else {
				s.client = client{t: s.t, base: m[1], http: &http.Client{Transport: &http.Transport{}}}
			}
			return
		}
		select {
		case status := <-s.exited:
			s.exited <- status
			s.t.Fatalf("it ended with status %d: %s", status, s.errOut.String())
		default:
		}
	}
	s.t.Fatalf("it doesn't listen after 20s: %s", s.errOut.String())
}

// ended returns the exit status, -1 if it is late.
func (s *server) ended(limit time.Duration) int {
	select {
	case status := <-s.exited:
		s.exited <- status
		return status
	case <-time.After(limit):
		s.t.Errorf("it has not ended after %v: %s", limit, s.errOut.String())
		return -1
	}
}

// A client speaks the JSON protocol without an SDK.
type client struct {
	t    *testing.T
	base string
	http *http.Client
}

// overSocket returns a client of the socket at path.
func overSocket(t *testing.T, path string) client {
	return client{t: t, base: "http://localhost", http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
}

// An apiError is what the server refused, and how.
type apiError struct {
	status  int
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Type, e.Message) }

// call does one action.
func (c *client) call(action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, c.base+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		refused := &apiError{status: answer.StatusCode}
		if err := json.Unmarshal(text, refused); err != nil {
			return fmt.Errorf("%s: %s", answer.Status, text)
		}
		return refused
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func (c *client) must(action string, in, out any) {
	c.t.Helper()
	if err := c.call(action, in, out); err != nil {
		c.t.Fatalf("%s: %v", action, err)
	}
}

type fields = map[string]any

type received struct {
	Messages []struct{ MessageID, ReceiptHandle, Body string }
}

// url returns the URL of a queue.
func (c *client) url(name string) string {
	c.t.Helper()
	var out struct{ QueueURL string }
	c.must("GetQueueUrl", fields{"QueueName": name}, &out)
	return out.QueueURL
}

func (c *client) send(url, body string) {
	c.t.Helper()
	c.must("SendMessage", fields{"QueueUrl": url, "MessageBody": body}, nil)
}

// receive returns the bodies of up to ten messages, and deletes them.
func (c *client) receive(url string, wait int) (bodies []string) {
	c.t.Helper()
	var got received
	c.must("ReceiveMessage", fields{"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": wait}, &got)
	for _, m := range got.Messages {
		c.must("DeleteMessage", fields{"QueueUrl": url, "ReceiptHandle": m.ReceiptHandle}, nil)
		bodies = append(bodies, m.Body)
	}
	return bodies
}

// get returns status and body of a page.
func (c *client) get(path string, header ...string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodGet, c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// try runs the program where it should end by itself.
func try(t *testing.T, args ...string) (status int, out, errOut string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var o, e bytes.Buffer
	status = command(ctx, args, &o, &e)
	if ctx.Err() != nil {
		t.Errorf("%q: it served instead of refusing that", args)
	}
	return status, o.String(), e.String()
}

func needsUnix(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped on Windows: there is neither SIGKILL nor SIGTERM, and files have no modes")
	}
}

func TestHelp(t *testing.T) {
	status, out, errOut := try(t, "-h")
	if status != 0 || errOut != "" || !strings.Contains(out, "-allow-remote") {
		t.Errorf("-h: status %d, printed %q and %q", status, out, errOut)
	}
}

func TestWrongFlags(t *testing.T) {
	t.Setenv(secretVariable, "")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"orders"}, `"orders": there are no arguments`},
		{[]string{"-nonsense"}, "-nonsense"},
		{[]string{"-addr", "9324"}, `"9324" is neither host:port nor unix:PATH`},
		{[]string{"-addr", "unix:"}, "path of a socket"},
		{[]string{"-queue", ""}, "must not be empty"},
		{[]string{"-access-key", "a"}, secretVariable},
		{[]string{"-secret-key", "a"}, "-access-key"},
		{[]string{"-account", "12"}, "12 digits"},
		{[]string{"-region", "Mars!"}, "eu-central-1"},
		{[]string{"-base-url", "queues"}, "http://queues:9324"},
		{[]string{"-config", filepath.Join(t.TempDir(), "none.json")}, "none.json"},
	} {
		status, _, errOut := try(t, c.args...)
		if status != 2 || !strings.Contains(errOut, c.says) {
			t.Errorf("%q: status %d, says %q; want 2, and %q", c.args, status, errOut, c.says)
		}
	}
}

// What the flags say arrives where it should.
func TestPlace(t *testing.T) {
	s := serveHere(t, "-queue", "orders", "-account", "123456789012", "-region", "eu-central-1", "-base-url", "https://queues.example/")
	if url := s.url("orders"); url != "https://queues.example/123456789012/orders" {
		t.Errorf("the queue's URL is %s", url)
	}
	var got struct{ Attributes map[string]string }
	s.must("GetQueueAttributes", fields{"QueueUrl": s.url("orders"), "AttributeNames": []string{"QueueArn"}}, &got)
	if got.Attributes["QueueArn"] != "arn:aws:sqs:eu-central-1:123456789012:orders" {
		t.Errorf("the queue's ARN is %q", got.Attributes["QueueArn"])
	}
	for _, line := range []string{"export AWS_ENDPOINT_URL_SQS=https://queues.example\n", "AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1 "} {
		if !strings.Contains(s.out.String(), line) {
			t.Errorf("it printed %q, without %q", s.out.String(), line)
		}
	}
}

func TestCooldowns(t *testing.T) {
	for _, args := range [][]string{nil, {"-cooldowns"}} {
		s := serveHere(t, append(args, "-queue", "orders")...)
		url := s.url("orders")
		s.must("PurgeQueue", fields{"QueueUrl": url}, nil)
		if err := s.call("PurgeQueue", fields{"QueueUrl": url}, nil); (err != nil) != (len(args) > 0) {
			t.Errorf("%q: a second purge: %v", args, err)
		}
	}
}

func TestVerbose(t *testing.T) {
	s := serveHere(t, "-v", "-queue", "orders")
	s.url("orders")
	s.get("/health")
	s.stop()
	s.ended(5 * time.Second)
	for _, line := range []string{`POST "/" "GetQueueUrl" 200`, `GET "/health" "" 200`, "sqsserver: stopped"} {
		if !strings.Contains(s.errOut.String(), line) {
			t.Errorf("it logged %s, without %q", s.errOut.String(), line)
		}
	}
}

// Other machines can knock, and are told why nobody answers.
func TestNote(t *testing.T) {
	for _, c := range []struct {
		args  []string
		noted bool
	}{
		{[]string{"-addr", "0.0.0.0:0"}, true},
		{[]string{"-addr", "0.0.0.0:0", "-allow-remote"}, false},
		{[]string{"-addr", "0.0.0.0:0", "-access-key", "a", "-secret-key", "b"}, false},
		{nil, false},
	} {
		s := serveHere(t, c.args...)
		if noted := strings.Contains(s.errOut.String(), "other machines can connect"); noted != c.noted {
			t.Errorf("%q: it logged %s", c.args, s.errOut.String())
		}
	}
}
