package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/standard"
)

// childDir is the directory of the broker that a child process opens. It answers
// on its standard output, in lines that begin with @.
const childDir = "RESTANTE_BROKER_CHILD"

// TestKilledChild is the child process: it does nothing unless a test started it.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("it is a part of another test")
	}
	if err := watchMove(t.Context(), dir); err != nil {
		fmt.Printf("@error %v\n", err)
		t.Fatal(err)
	}
}

// watchMove opens the broker, starts the move task if there is none, and tells how
// far it is until it is over.
func watchMove(ctx context.Context, dir string) error {
	b, err := broker.Open(ctx, dir, broker.Options{})
	if err != nil {
		return err
	}
	source := b.Scope().ARN("dead")
	tasks, err := b.MoveTasks(ctx, source, 10)
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		if _, err := b.StartMoveTask(ctx, broker.MoveOptions{Source: source}); err != nil {
			return err
		}
	}
	for told := -1; ; time.Sleep(100 * time.Microsecond) {
		if tasks, err = b.MoveTasks(ctx, source, 10); err != nil {
			return err
		}
		if len(tasks) != 1 {
			return fmt.Errorf("there are %d tasks", len(tasks))
		}
		if tasks[0].Status != broker.Running {
			fmt.Printf("@%v %d %s\n", tasks[0].Status, tasks[0].Moved, tasks[0].Failure)
			return b.Close()
		}
		if tasks[0].Moved != told {
			told = tasks[0].Moved
			fmt.Printf("@moved %d\n", told)
		}
	}
}

// A move task goes on by itself however often its process is killed, and each
// message is in one of the queues, once.
func TestMoveTaskOfAKilledProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGKILL")
	}
	const batch = 256 // messages that a task moves in one record
	messages := 100_000
	if testing.Short() {
		messages = 10_000
	}
	dir := t.TempDir()
	fillDeadLetters(t, dir, messages)

	// The first kills come as soon as the task has come further, so that it is not
	// over before; the others when it has come far.
	kills, shares := 0, []int{0, 0, 0, messages / 4, messages / 2, messages * 3 / 4}
	for _, share := range shares {
		killed, last := killOnTheMove(t, dir, share)
		if !killed {
			break
		}
		kills++
		t.Logf("killed after it said %q; %s", last, distribution(t, dir, messages))
	}
	if kills < 3 {
		t.Fatalf("the task was over after %d kills: it needs more messages", kills)
	}

	killed, last := killOnTheMove(t, dir, messages+1)
	var status string
	var moved int
	if _, err := fmt.Sscanf(last, "@%s %d", &status, &moved); err != nil || killed || status != "COMPLETED" {
		t.Fatalf("it said %q at the end: %v", last, err)
	}
	if moved > messages || moved < messages-batch*kills {
		t.Errorf("after %d kills the task says that it moved %d of %d", kills, moved, messages)
	}
	if text := distribution(t, dir, messages); text != fmt.Sprintf("0 in dead, %d in work", messages) {
		t.Error(text)
	}
}

// fillDeadLetters makes a queue and its dead-letter queue, with messages there.
func fillDeadLetters(t *testing.T, dir string, messages int) {
	t.Helper()
	b := openBroker(t, dir)
	dead := mustCreate(t, b, "dead", nil)
	work := mustCreate(t, b, "work", map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"3"}`, dead.ARN()),
	})
	adopter, _ := queue.As[queue.Adopter](dead)
	now := time.Now().UnixMilli()
	for n := 0; n < messages; {
		var records []queue.Record
		for ; n < messages && len(records) < 5000; n++ {
			r := queue.Record{
				ID: queue.MessageID{byte(n), byte(n >> 8), byte(n >> 16)}, SentAt: now, FirstReceivedAt: now, Receives: 4,
				DeadLetterSource: work.ARN(), Message: queue.Message{Body: fmt.Sprintf("message %d", n)},
			}
			records = append(records, r)
		}
		if err := adopter.Adopt(t.Context(), records, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func openBroker(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Open(t.Context(), dir, broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// killOnTheMove runs a child and kills it when the task has moved more than it had
// at first, and at least so many. It returns whether it did, and the child's last
// words.
func killOnTheMove(t *testing.T, dir string, atLeast int) (killed bool, last string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "@") {
			continue
		}
		last = lines.Text()
		var moved int
		if _, err := fmt.Sscanf(last, "@moved %d", &moved); err != nil {
			break
		}
		if first < 0 {
			first = moved
		}
		if moved > first && moved >= atLeast {
			_ = cmd.Process.Kill() // it may have ended by itself
			break
		}
	}
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	exit := (*exec.ExitError)(nil)
	if killed = errors.As(err, &exit) && !exit.Exited(); !killed && err != nil {
		t.Fatalf("the child said %q and ended: %v\n%s", last, err, trouble.String())
	}
	return killed, last
}

// distribution makes sure that all messages are there, each once, and tells where.
// It opens the queues without the broker, so that nothing moves.
func distribution(t *testing.T, dir string, messages int) string {
	t.Helper()
	st, err := filestore.Open(t.Context(), dir, filestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	place := make(map[string]string, messages)
	number := map[string]int{}
	for _, name := range []string{"dead", "work"} {
		q, err := standard.Open(t.Context(), st, queue.Config{Name: name, ARN: broker.Scope{}.ARN(name)})
		if err != nil {
			t.Fatal(err)
		}
		for p, err := range q.Peek(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if other, twice := place[p.Body]; twice {
				t.Fatalf("%q is in %s and in %s", p.Body, other, name)
			}
			place[p.Body] = name
			number[name]++
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for n := range messages {
		if body := fmt.Sprintf("message %d", n); place[body] == "" {
			t.Fatalf("%q is lost", body)
		}
	}
	if len(place) != messages {
		t.Fatalf("%d messages are there, %d were", len(place), messages)
	}
	return fmt.Sprintf("%d in dead, %d in work", number["dead"], number["work"])
}
