package payload_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/standard"
)

// A process that sends and deletes is killed, at a random moment or at a step of
// its own choice, and then every message has its blob.
//
//	go test ./queue/payload -run TestCampaignKill -timeout 0 -v -crash.kills 5000
var (
	crashKills = flag.Int("crash.kills", 60, "how many times TestCampaignKill kills a process")
	crashSeed  = flag.Uint64("crash.seed", 1, "seed of TestCampaignKill")
)

// What the child is to do stands in its environment.
const (
	childDir  = "RESTANTE_PAYLOAD_DIR"
	childStep = "RESTANTE_PAYLOAD_STEP" // where it kills itself; empty: it is killed
	childNth  = "RESTANTE_PAYLOAD_NTH"  // which time it comes there
)

// The steps at which a child may kill itself.
var steps = []string{
	"before put blob", "after put blob", "after send message",
	"before delete message", "after delete message", "after delete blob",
}

// A home is what a child works on, and what the parent looks at afterwards.
type home struct {
	store *filestore.Store
	blobs *payload.Directory
	inner map[string]queue.Queue // "letters", a Standard queue, "orders.fifo" and "dead", where letters go
}

func openHome(ctx context.Context, dir string) (*home, error) {
	blobs, err := payload.Dir(filepath.Join(dir, "blobs"))
	if err != nil {
		return nil, err
	}
	st, err := filestore.Open(ctx, filepath.Join(dir, "store"), filestore.Options{SegmentSize: 64 << 10})
	if err != nil {
		return nil, err
	}
	dead, err := standard.Open(ctx, st, queue.Config{Name: "dead"})
	if err != nil {
		return nil, err
	}
	letters, err := standard.Open(ctx, st, queue.Config{Name: "letters", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 3}})
	if err != nil {
		return nil, err
	}
	orders, err := fifo.Open(ctx, st, queue.Config{Name: "orders.fifo"})
	if err != nil {
		return nil, err
	}
	return &home{st, blobs, map[string]queue.Queue{"letters": letters, "orders.fifo": orders, "dead": dead}}, nil
}

func (h *home) close() error {
	var errs []error
	for _, q := range h.inner {
		errs = append(errs, q.Close())
	}
	return errors.Join(append(errs, h.store.Close())...)
}

// suicide notes each step on standard output, and dies at the one it is to die at.
func suicide() func(step string) {
	at := os.Getenv(childStep)
	left, _ := strconv.Atoi(os.Getenv(childNth))
	var j journal
	return func(step string) {
		j.mu.Lock() // so that no other goroutine does anything visible after the last step
		defer j.mu.Unlock()
		if step != at {
			return
		}
		if left--; left >= 0 {
			return
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // dies here
	}
}

// steppedBlobs and steppedQueue tell a function of each step.
type steppedBlobs struct {
	payload.Blobs
	step func(string)
}

func (b steppedBlobs) Put(ctx context.Context, at payload.Pointer, body string) error {
	b.step("before put blob")
	defer b.step("after put blob")
	return b.Blobs.Put(ctx, at, body)
}

func (b steppedBlobs) Delete(ctx context.Context, at payload.Pointer) error {
	defer b.step("after delete blob")
	return b.Blobs.Delete(ctx, at)
}

type steppedQueue struct {
	queue.Queue
	step func(string)
}

func (q steppedQueue) Unwrap() queue.Queue { return q.Queue }

func (q steppedQueue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	defer q.step("after send message")
	return q.Queue.Send(ctx, m)
}

func (q steppedQueue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	defer q.step("after send message")
	return q.Queue.SendBatch(ctx, ms)
}

func (q steppedQueue) Delete(ctx context.Context, r queue.Receipt) error {
	q.step("before delete message")
	defer q.step("after delete message")
	return q.Queue.Delete(ctx, r)
}

func (q steppedQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	q.step("before delete message")
	defer q.step("after delete message")
	return q.Queue.DeleteBatch(ctx, rs)
}

// TestCrashChild is the child process: it does nothing unless a test started it.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("it is a part of TestCampaignKill")
	}
	h, err := openHome(t.Context(), dir)
	require.NoError(t, err)
	step := suicide()
	failed := make(chan error, 10)
	for name, inner := range h.inner {
		q, err := payload.Wrap(steppedQueue{inner, step}, steppedBlobs{h.blobs, step}, always)
		require.NoError(t, err)
		if name != "dead" {
			go func() { failed <- childSender(t.Context(), name, q) }() // these end with the process
		}
		go func() { failed <- childReceiver(t.Context(), q) }()
	}
	say("ready")
	t.Fatal(<-failed)
}

// say tells the parent something, in one write.
func say(format string, args ...any) {
	os.Stdout.WriteString("@" + fmt.Sprintf(format, args...) + "\n")
}

func childSender(ctx context.Context, name string, q queue.Queue) error {
	for n := 0; ; n++ {
		var ms []queue.Message
		for i := range 1 + rand.IntN(3) {
			label := fmt.Sprintf("%s-%d-%d-%d", name, os.Getpid(), n, i)
			m := queue.Message{Body: label + " " + strings.Repeat("x", rand.IntN(3000))}
			if name == "orders.fifo" {
				m.GroupID, m.DeduplicationID = strconv.Itoa(rand.IntN(5)), label
			}
			ms = append(ms, m)
		}
		if len(ms) == 1 {
			if _, err := q.Send(ctx, ms[0]); err != nil {
				return err
			}
		} else if _, err := q.SendBatch(ctx, ms); err != nil {
			return err
		}
		for i := range ms {
			say("sent %s", strings.Fields(ms[i].Body)[0])
		}
	}
}

// childReceiver deletes most of what it gets. Some it deletes too late or gives
// back, so that they move to the dead-letter queue.
func childReceiver(ctx context.Context, q queue.Queue) error {
	for {
		got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: time.Second, VisibilityTimeout: 20 * time.Millisecond})
		if err != nil {
			return err
		}
		var rs []queue.Receipt
		for _, d := range got {
			label, _, _ := strings.Cut(d.Body, " ")
			say("deleting %s", label)
			switch rand.IntN(8) {
			case 0:
				err = q.ChangeVisibility(ctx, d.Receipt, 0)
			case 1:
				time.Sleep(30 * time.Millisecond)
				err = q.Delete(ctx, d.Receipt)
			case 2:
				err = q.Delete(ctx, d.Receipt)
			default:
				rs = append(rs, d.Receipt)
			}
			if err != nil && !errors.Is(err, queue.ErrReceiptExpired) && !errors.Is(err, queue.ErrMessageGone) {
				return err
			}
		}
		if len(rs) > 0 {
			if err := q.DeleteBatch(ctx, rs); err != nil && !errors.Is(err, queue.ErrReceiptExpired) {
				return err
			}
		}
	}
}

// A tally is what a campaign has seen.
type tally struct {
	sent, deleting map[string]bool // labels
	byStep         map[string]int
	found, orphans int
}

func TestCampaignKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGKILL")
	}
	kills := *crashKills
	if testing.Short() {
		kills = min(kills, 12)
	}
	dir := t.TempDir()
	seen := &tally{sent: map[string]bool{}, deleting: map[string]bool{}, byStep: map[string]int{}}
	random := rand.New(rand.NewPCG(*crashSeed, 24))
	began := time.Now()
	for n := range kills {
		step := "" // at a random moment
		if n%2 == 0 {
			step = steps[n/2%len(steps)]
		}
		killOnce(t, seen, dir, step, random)
		inspect(t, seen, dir)
		if t.Failed() {
			t.Fatalf("after kill %d, %q", n, step)
		}
	}
	require.Positive(t, seen.orphans, "a campaign without orphans has not killed where it matters")
	t.Logf("%d kills in %v: %v; %d messages sent, %d found again, each with its blob; %d orphans collected",
		kills, time.Since(began).Round(time.Millisecond), seen.byStep, len(seen.sent), seen.found, seen.orphans)
}

// killOnce runs a child until it is dead.
func killOnce(t *testing.T, seen *tally, dir, step string, random *rand.Rand) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childStep+"="+step, childNth+"="+strconv.Itoa(random.IntN(15)))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	require.NoError(t, cmd.Start())
	kill := func() { _ = cmd.Process.Kill() } // it may have ended by itself
	patience := 5 * time.Second
	if step == "" {
		patience = time.Duration(random.IntN(80_000)) * time.Microsecond
	}
	var said []string
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "@")
		verb, label, _ := strings.Cut(line, " ")
		switch {
		case !ok:
			said = append(said, lines.Text())
		case verb == "ready":
			timer = time.AfterFunc(patience, kill)
		case verb == "sent":
			seen.sent[label] = true
		case verb == "deleting":
			seen.deleting[label] = true
		}
	}
	kill()
	if timer != nil && !timer.Stop() && step != "" {
		t.Errorf("the child did not come to %q", step)
	}
	_, _ = io.Copy(io.Discard, out)
	ended := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](ended); !ok || exit.Exited() {
		t.Fatalf("the child ended by itself: %v\n%s\n%s", ended, strings.Join(said, "\n"), trouble.String())
	}
	if step == "" {
		step = "any moment"
	}
	seen.byStep[step]++
}

// inspect looks at what a killed process left: every message has its blob and its
// body, none that was sent and not deleted is lost, and Collect removes what no
// message points to, and nothing else.
func inspect(t *testing.T, seen *tally, dir string) {
	t.Helper()
	h, err := openHome(t.Context(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, h.close()) }()
	var queues []queue.Queue
	there := map[string]bool{}
	for _, inner := range h.inner {
		queues = append(queues, inner)
		q, err := payload.Wrap(inner, h.blobs, always)
		require.NoError(t, err)
		inspector, _ := queue.As[queue.Inspector](inner)
		for p, err := range inspector.Peek(t.Context()) {
			require.NoError(t, err)
			m, err := q.Fetch(t.Context(), p.Message) // compares the size
			require.NoError(t, err, "a message in the queue has its blob")
			label, padding, _ := strings.Cut(m.Body, " ")
			require.Empty(t, strings.Trim(padding, "x"))
			require.False(t, there[label], "%s is there twice", label)
			there[label] = true
			seen.found++
		}
	}
	for label := range seen.sent {
		if !there[label] && !seen.deleting[label] {
			t.Errorf("%s was sent and is lost", label)
		}
	}
	orphans := noneWithoutBlob(t, h.blobs, queues...)
	found, err := payload.Collect(t.Context(), h.blobs, payload.CollectOptions{Bucket: "bucket", MinAge: queue.None}, queues...)
	require.NoError(t, err)
	var collected []string
	for _, o := range found.Orphans {
		collected = append(collected, o.Key)
	}
	require.Equal(t, orphans, collected)
	require.Empty(t, noneWithoutBlob(t, h.blobs, queues...))
	seen.orphans += len(orphans)
}
