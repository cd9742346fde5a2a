package filestore_test

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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
)

// A real process that is killed proves nothing about syncs, but it goes through
// the operating system's files, locks and page cache as users' processes do.
//
//	go test ./queue/filestore -run TestCampaignKill -timeout 0 -v -crash.kills 5000
var crashKills = flag.Int("crash.kills", 20, "how many times TestCampaignKill kills a process")

// What the child process is to do stands in its environment: a role and a
// directory. It answers on its standard output, in lines that begin with @.
const (
	childRole = "RESTANTE_CRASH_CHILD"
	childDir  = "RESTANTE_CRASH_DIR"
)

// TestCrashChild is the child process: it does nothing unless a test started it.
func TestCrashChild(t *testing.T) {
	role := os.Getenv(childRole)
	if role == "" {
		t.Skip("it is a part of other tests")
	}
	dir := os.Getenv(childDir)
	var err error
	switch role {
	case "load":
		err = loadChild(t.Context(), dir)
	case "suicide":
		err = suicideChild(t.Context(), dir)
	default:
		err = otherChild(t.Context(), role, dir)
	}
	if err != nil {
		say("error %v", err)
		t.Fatal(err)
	}
	say("end")
}

// say tells the parent something, in one write.
func say(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	os.Stdout.WriteString("@" + line + "\n")
}

// child returns the command that runs this test binary as a child.
func child(ctx context.Context, role, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	return cmd
}

// childQueues opens the queues of a child.
func childQueues(ctx context.Context, dir string) (*filestore.Store, []*counter, error) {
	st, err := filestore.Open(ctx, dir, filestore.Options{SegmentSize: 64 << 10})
	if err != nil {
		return nil, nil, err
	}
	counters, err := openCounters(ctx, st)
	return st, counters, err
}

// loadChild tells what it finds, and then uses the queues until it is killed. It
// tells what it is about to do and what was confirmed.
func loadChild(ctx context.Context, dir string) error {
	_, counters, err := childQueues(ctx, dir)
	if err != nil {
		return err
	}
	for _, c := range counters {
		for place, q := range map[string]queue.Queue{"source": c.source, "dead": c.dead} {
			all, err := peek(ctx, q)
			if err != nil {
				return err
			}
			for _, p := range all {
				label, _, _ := strings.Cut(p.Body, " ")
				say("found %s %s %s %d %s", c.name, place, label, p.ReceiveCount, p.Body)
			}
		}
	}
	say("ready")
	for again := bufio.NewScanner(os.Stdin); again.Scan(); {
		label, rest, _ := strings.Cut(again.Text(), " ")
		m := childMessage(counters[1], label, rest)
		sent, err := counters[1].source.Send(ctx, m)
		if err != nil {
			return err
		}
		say("again %s %v", label, sent.Duplicate)
	}
	say("repeated")

	failed := make(chan error, 16)
	round := os.Getpid()
	for i, c := range counters {
		for n := range 3 {
			go func() { failed <- childSender(ctx, c, fmt.Sprintf("%d-%d-%d", round, i, n)) }() // ends with the process
		}
		for range 2 {
			go func() { failed <- childReceiver(ctx, c) }() // ends with the process
		}
	}
	return <-failed
}

func childMessage(c *counter, label, padding string) queue.Message {
	m := queue.Message{Body: label + " " + padding}
	if c.kind == queue.FIFO {
		sender := label[:strings.LastIndexByte(label, '-')]
		m.GroupID, m.DeduplicationID = sender, label
	}
	return m
}

func childSender(ctx context.Context, c *counter, sender string) error {
	for n := 0; ; n++ {
		label := fmt.Sprintf("%s-%d", sender, n)
		m := childMessage(c, label, strings.Repeat("p", rand.IntN(900)))
		say("sending %s %s", c.name, m.Body)
		if _, err := c.source.Send(ctx, m); err != nil {
			return err
		}
		say("sent %s", label)
	}
}

// childReceiver deletes most of what it gets, and gives the rest back.
func childReceiver(ctx context.Context, c *counter) error {
	for {
		got, err := c.source.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: time.Second, VisibilityTimeout: 3 * time.Second})
		if err != nil {
			return err
		}
		var deletes []queue.Receipt
		var labels []string
		for i := range got {
			label, _, _ := strings.Cut(got[i].Body, " ")
			say("got %s %d", label, got[i].ReceiveCount)
			if rand.IntN(10) == 0 {
				if err := c.source.ChangeVisibility(ctx, got[i].Receipt, 0); err != nil {
					return err
				}
				continue
			}
			deletes, labels = append(deletes, got[i].Receipt), append(labels, label)
		}
		if len(deletes) == 0 {
			continue
		}
		say("deleting %s", strings.Join(labels, " "))
		if err := c.source.DeleteBatch(ctx, deletes); err != nil {
			return err
		}
		say("deleted %s", strings.Join(labels, " "))
	}
}

// A parcel is a message that a child sent, as the parent knows it.
type parcel struct {
	queue, body             string
	order                   int // of sending
	sent, deleting, deleted bool
	receives                int // at least

	found bool // in this round
}

// A ledger is what the parent knows.
type ledger struct {
	parcels map[string]*parcel
	order   int
	latest  map[string]int // order of the latest message found, by group
	totals  struct{ kills, early, sends, deletes, found int }
}

// read takes what a child said until it was killed. Every line but the last is
// complete.
func (g *ledger) read(out io.Reader, ready func(), repeated func()) error {
	for _, p := range g.parcels {
		p.found = false
	}
	g.latest = map[string]int{}
	listed := false
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line, ok := strings.CutPrefix(lines.Text(), "@")
		if !ok {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		words := strings.Fields(rest)
		switch verb {
		case "found":
			if err := g.found(words, rest); err != nil {
				return err
			}
		case "ready":
			if err := g.checkLost(); err != nil {
				return err
			}
			listed = true
			ready()
		case "again":
			if err := g.again(words[0], words[1] == "true"); err != nil {
				return err
			}
		case "repeated":
			repeated()
		case "sending":
			g.order++
			_, body, _ := strings.Cut(rest, " ")
			g.parcels[words[1]] = &parcel{queue: words[0], body: body, order: g.order}
		case "sent":
			g.parcels[words[0]].sent = true
			g.totals.sends++
		case "got":
			if p := g.parcels[words[0]]; p != nil {
				n, _ := strconv.Atoi(words[1])
				p.receives = max(p.receives, n)
			}
		case "deleting", "deleted":
			for _, label := range words {
				p := g.parcels[label]
				p.deleting = true
				if verb == "deleted" {
					p.deleted = true
					g.totals.deletes++
				}
			}
		default:
			return fmt.Errorf("the child said %q", line)
		}
	}
	if !listed {
		g.totals.early++
	}
	return nil
}

// found checks a message that survived.
func (g *ledger) found(words []string, line string) error {
	name, place, label := words[0], words[1], words[2]
	p := g.parcels[label]
	switch {
	case p == nil:
		return fmt.Errorf("%s is there and was never sent", label)
	case p.found:
		return fmt.Errorf("%s is there twice", label)
	case p.deleted:
		return fmt.Errorf("%s is there and was deleted", label)
	case p.queue != name:
		return fmt.Errorf("%s is in %s and was sent to %s", label, name, p.queue)
	}
	count, err := strconv.Atoi(words[3])
	if err != nil || count < p.receives {
		return fmt.Errorf("the receive count of %s is %d, was %d", label, count, p.receives)
	}
	if place == "dead" && count < maxReceives {
		return fmt.Errorf("%s has moved after %d receives", label, count)
	}
	if body := strings.SplitN(line, " ", 5)[4]; body != p.body {
		return fmt.Errorf("the body of %s has changed", label)
	}
	if place == "source" {
		group := label[:strings.LastIndexByte(label, '-')]
		if p.order < g.latest[group] {
			return fmt.Errorf("%s stands behind a message that was sent later", label)
		}
		g.latest[group] = p.order
	}
	p.found, p.sent, p.deleting, p.receives = true, true, false, count
	g.totals.found++
	return nil
}

// checkLost looks for what is missing once everything was listed.
func (g *ledger) checkLost() error {
	for label, p := range g.parcels {
		switch {
		case p.found || p.deleted:
		case p.sent && !p.deleting:
			return fmt.Errorf("%s is lost", label)
		case p.deleting:
			p.deleted = true
		} // else it was never accepted
	}
	return nil
}

// again checks the answer to a message that was sent once more.
func (g *ledger) again(label string, duplicate bool) error {
	p := g.parcels[label]
	if (p.found || p.deleted) && !duplicate {
		return fmt.Errorf("%s was sent again and taken twice", label)
	}
	if duplicate && !p.found && !p.deleted {
		return fmt.Errorf("%s was sent again and is a duplicate of nothing", label)
	}
	p.sent = true
	return nil
}

// repeats returns the latest messages of the FIFO queue, for sending again: what
// was accepted, deleted or not, and what was under way.
func (g *ledger) repeats() string {
	var labels []string
	for label, p := range g.parcels {
		if p.queue == "orders" {
			labels = append(labels, label)
		}
	}
	slices.SortFunc(labels, func(a, b string) int { return g.parcels[b].order - g.parcels[a].order })
	var b strings.Builder
	for _, label := range labels[:min(len(labels), 8)] {
		b.WriteString(g.parcels[label].body + "\n")
	}
	return b.String()
}

// forget drops what is over long ago, so that thousands of rounds stay quick.
func (g *ledger) forget() {
	for label, p := range g.parcels {
		if p.deleted && p.order < g.order-5000 {
			delete(g.parcels, label)
		}
	}
}

// A process that is killed at any moment, thousands of times if asked: what it
// had been told was sent is there, what was deleted is gone, nothing is there
// twice, receive counts go on, and a message sent again is recognised.
func TestCampaignKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGKILL")
	}
	dir := t.TempDir()
	g := &ledger{parcels: map[string]*parcel{}}
	random := rand.New(rand.NewPCG(*crashSeed, 4))
	began := time.Now()
	for ; g.totals.kills < *crashKills; g.totals.kills++ {
		if err := killOnce(t, g, dir, random); err != nil {
			t.Fatalf("after %d kills: %v", g.totals.kills, err)
		}
		g.forget()
	}
	t.Logf("%d kills in %v, %d of them while the store was opened; %d messages sent, %d deleted, %d found again",
		g.totals.kills, time.Since(began).Round(time.Millisecond), g.totals.early, g.totals.sends, g.totals.deletes, g.totals.found)
}

// killOnce runs a child and kills it at a random moment.
func killOnce(t *testing.T, g *ledger, dir string, random *rand.Rand) error {
	cmd := child(t.Context(), "load", dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	require.NoError(t, cmd.Start())
	var timer *time.Timer
	kill := func() { _ = cmd.Process.Kill() } // it may have ended by itself
	if random.IntN(3) == 0 {
		timer = time.AfterFunc(time.Duration(random.IntN(60_000))*time.Microsecond, kill)
	}
	var feeding sync.WaitGroup
	err = g.read(out, func() {
		again := g.repeats()
		feeding.Go(func() { // ends when the child has read it, or is dead
			_, _ = io.WriteString(in, again)
			_ = in.Close()
		})
	}, func() {
		if timer == nil {
			timer = time.AfterFunc(time.Duration(random.IntN(80_000))*time.Microsecond, kill)
		}
	})
	kill()
	if timer != nil {
		timer.Stop()
	}
	_, _ = io.Copy(io.Discard, out)
	feeding.Wait()
	ended := cmd.Wait()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, trouble.String())
	}
	if exit := (*exec.ExitError)(nil); !errors.As(ended, &exit) || exit.Exited() {
		return fmt.Errorf("the child ended by itself: %v\n%s", ended, trouble.String())
	}
	return nil
}

// suicideChild is a consumer that dies of a message.
func suicideChild(ctx context.Context, dir string) error {
	_, counters, err := childQueues(ctx, dir)
	if err != nil {
		return err
	}
	got, err := counters[0].source.Receive(ctx, queue.ReceiveOptions{Wait: queue.None})
	if err != nil {
		return err
	}
	for i := range got {
		say("handling %d", got[i].ReceiveCount)
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := self.Kill(); err != nil {
			return err
		}
		time.Sleep(time.Minute) // dies here
	}
	return nil
}

// A message whose handler kills its own process is handed out MaxReceives times
// and is then in the dead-letter queue.
func TestHandlerThatKillsItsProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGKILL")
	}
	dir := filepath.Join(t.TempDir(), "store")
	st, counters, err := childQueues(t.Context(), dir)
	require.NoError(t, err)
	_, err = counters[0].source.Send(t.Context(), queue.Message{Body: "poison"})
	require.NoError(t, err)
	require.NoError(t, errors.Join(closeCounters(counters), st.Close()))

	for n := 1; n <= maxReceives; n++ {
		out, err := child(t.Context(), "suicide", dir).Output()
		require.Error(t, err, "the child must die")
		require.Contains(t, string(out), fmt.Sprintf("@handling %d\n", n))
	}
	out, err := child(t.Context(), "suicide", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "@handling")

	st, counters, err = childQueues(t.Context(), dir)
	require.NoError(t, err)
	left, err := peek(t.Context(), counters[0].source)
	require.NoError(t, err)
	require.Empty(t, left)
	dead, err := counters[0].dead.Receive(t.Context(), queue.ReceiveOptions{})
	require.NoError(t, err)
	require.Len(t, dead, 1)
	require.Equal(t, "poison", dead[0].Body)
	require.Equal(t, "work", dead[0].DeadLetterSource)
	require.Equal(t, maxReceives+1, dead[0].ReceiveCount)
	require.NoError(t, errors.Join(closeCounters(counters), st.Close()))
}
