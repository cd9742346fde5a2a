package sqlitestore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// The crash tests run a child process over a database, kill it, and look at
// what it left. A killed process shows that what was written is there again, and
// that nothing is half there; it shows nothing of syncs.

const (
	crashPath  = "RESTANTE_CRASH_PATH"  // the child's database
	crashPoint = "RESTANTE_CRASH_POINT" // where the child is to die by itself, if not empty
	crashRound = "RESTANTE_CRASH_ROUND"
	// crashRounds is how often TestCrash kills; a campaign sets more than the default.
	crashRounds = "RESTANTE_CRASH_ROUNDS"
)

// child starts this test binary anew, to run the test of that name only.
func child(t *testing.T, test string, env ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, out
}

// die ends this process as a kill from outside does.
func die() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// TestCrashAtEachStep kills the process at every step from the application's
// transaction to the message in the queue: it is lost nowhere, and comes once.
func TestCrashAtEachStep(t *testing.T) {
	const uncommitted, undelivered = "before the commit", "before Deliver"
	for _, name := range []string{"mails", "mails.fifo"} {
		for _, point := range []string{uncommitted, undelivered, pointRead, pointBegun, pointSyncing, pointCommitted, pointTaken} {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "shop.db")
				cmd, out := child(t, "TestCrashAtEachStepChild", crashPath+"="+path, crashPoint+"="+point, crashRound+"="+name)
				said, err := io.ReadAll(out)
				require.NoError(t, err)
				require.Error(t, cmd.Wait(), "the child was to die, and said: %s", said)

				s := openShop(t, path, queue.Config{Name: name})
				want := []string{"first", "one", "two"}
				if point == uncommitted {
					want = want[:1]
				}
				require.Equal(t, want, s.receive())
				require.Empty(t, s.rows())
				var orders int
				require.NoError(t, s.db.QueryRow(`SELECT count(*) FROM orders`).Scan(&orders))
				require.Equal(t, len(want), orders)
			})
		}
	}
}

func TestCrashAtEachStepChild(t *testing.T) {
	path, point, name := os.Getenv(crashPath), os.Getenv(crashPoint), os.Getenv(crashRound)
	if path == "" || point == "" {
		t.Skip("the other half of TestCrashAtEachStep")
	}
	s := openShop(t, path, queue.Config{Name: name})
	m := func(body string) queue.Message {
		if name == "mails" {
			return queue.Message{Body: body}
		}
		return queue.Message{Body: body, GroupID: "g", DeduplicationID: body}
	}
	s.commit(m("first"))
	require.NoError(t, s.st.Deliver(s.ctx))
	dieAt := func(at string) {
		if at == point {
			die()
		}
	}
	tx := s.order(m("one"), m("two"))
	dieAt("before the commit")
	require.NoError(t, tx.Commit())
	dieAt("before Deliver")
	s.st.hook = func(at string) error {
		dieAt(at)
		return nil
	}
	t.Fatal("still alive", s.st.Deliver(s.ctx))
}

// A crashLog is what the children have told of each message, by its body.
type crashLog struct {
	sending, sent     map[string]bool // by Send, or in a transaction that was to commit
	undone            map[string]bool // in a transaction that was rolled back
	received          map[string]int  // the latest count that a Receive returned
	deleting, deleted map[string]bool
}

func newCrashLog() *crashLog {
	return &crashLog{
		sending: map[string]bool{}, sent: map[string]bool{}, undone: map[string]bool{}, received: map[string]int{},
		deleting: map[string]bool{}, deleted: map[string]bool{},
	}
}

// hear notes a line of a child.
func (l *crashLog) hear(line string) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return // the end of a line is missing, or it is the testing package's
	}
	body := words[1]
	switch words[0] {
	case "sending":
		l.sending[body] = true
	case "sent":
		l.sent[body] = true
	case "undone":
		l.undone[body] = true
	case "received":
		n, _ := strconv.Atoi(words[2])
		l.received[body] = max(l.received[body], n)
	case "deleting":
		l.deleting[body] = true
	case "deleted":
		l.deleted[body] = true
	}
}

// check compares what is in a database with what was told.
func (l *crashLog) check(t *testing.T, s *Store, number uint64) {
	t.Helper()
	records, err := s.Load(context.Background(), number, 1, 1<<62, nil)
	require.NoError(t, err)
	found := map[string]int{}
	order := map[string][]string{}
	for i := range records {
		r := &records[i]
		found[r.Body]++
		assert.GreaterOrEqual(t, int(r.Receives), l.received[r.Body], "receive count of %s", r.Body)
		assert.True(t, l.sending[r.Body], "%s was never sent", r.Body)
		group, n, _ := strings.Cut(r.Body, "#")
		order[group] = append(order[group], n)
	}
	for r, err := range s.outboxRows(context.Background(), number, rowsWaiting) {
		require.NoError(t, err)
		found[r.message.Body]++
	}
	for body, n := range found {
		assert.Equal(t, 1, n, "%s is there more than once", body)
		assert.False(t, l.deleted[body], "%s was deleted", body)
		assert.False(t, l.undone[body], "%s was rolled back", body)
	}
	for group, is := range order {
		assert.True(t, slices.IsSortedFunc(is, func(a, b string) int {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return x - y
		}), "order of %s: %v", group, is)
	}
}

// lost tells what should be in one of the queues and is in none.
func (l *crashLog) lost(t *testing.T, s *Store) {
	t.Helper()
	here := map[string]bool{}
	rows, err := s.db.Query(`SELECT body FROM restante_messages UNION ALL SELECT body FROM restante_outbox`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var body string
		require.NoError(t, rows.Scan(&body))
		here[body] = true
	}
	require.NoError(t, rows.Err())
	for body := range l.sent {
		if !l.deleting[body] {
			assert.True(t, here[body], "%s is lost", body)
		}
	}
}

// TestCrash kills a process under load, again and again over one database.
func TestCrash(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv(crashRounds)); err == nil {
		rounds = n
	}
	path := filepath.Join(t.TempDir(), "shop.db")
	log := newCrashLog()
	for round := range rounds {
		cmd, out := child(t, "TestCrashChild", crashPath+"="+path, crashRound+"="+strconv.Itoa(round))
		lines := bufio.NewReader(out)
		var kill *time.Timer
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // what was told last may be cut off, and then it was not told
			}
			if kill == nil && strings.HasPrefix(line, "sent ") { // it is under load
				kill = time.AfterFunc(time.Duration(20+rand.IntN(300))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
			log.hear(strings.TrimSuffix(line, "\n"))
		}
		require.Error(t, cmd.Wait(), "the child ended by itself")
		require.NotNil(t, kill, "the child never got to work")

		s := openAt(t, path, small)
		checkTables(t, s)
		for _, name := range []string{"work", "work.fifo"} {
			kind := queue.Standard
			if name == "work.fifo" {
				kind = queue.FIFO
			}
			r, err := s.Attach(context.Background(), name, kind)
			require.NoError(t, err)
			log.check(t, s, r.Queue)
		}
		log.lost(t, s)
		require.NoError(t, s.Close())
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	t.Logf("%d rounds: %d sent, %d rolled back, %d deleted", rounds, len(log.sent), len(log.undone), len(log.deleted))
}

// TestCrashChild sends, in transactions and without, receives and deletes, and
// tells what it is about to do and what it has done, until it is killed.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashPath)
	if path == "" || os.Getenv(crashPoint) != "" {
		t.Skip("the other half of TestCrash")
	}
	round := os.Getenv(crashRound)
	tell := func(format string, args ...any) {
		_, err := fmt.Fprintf(os.Stdout, format+"\n", args...) // one write, so that a line is whole
		require.NoError(t, err)
	}
	s := openShop(t, path, queue.Config{Name: "work", VisibilityTimeout: time.Second})
	second, err := openQueue(s.ctx, s.st, queue.Config{Name: "work.fifo", VisibilityTimeout: time.Second})
	require.NoError(t, err)
	ordered, err := s.st.WithOutbox(s.ctx, second)
	require.NoError(t, err)

	var all sync.WaitGroup
	for k := range 4 {
		to, prefix := s.outbox, fmt.Sprintf("standard-%s-%d", round, k)
		if k%2 == 1 {
			to, prefix = ordered, fmt.Sprintf("fifo-%s-%d", round, k)
		}
		all.Go(func() {
			for i := 0; ; i++ {
				m := queue.Message{Body: fmt.Sprintf("%s#%d", prefix, i)}
				if to == ordered {
					m.GroupID, m.DeduplicationID = prefix, strings.ReplaceAll(m.Body, "#", "-")
				}
				tell("sending %s", m.Body)
				switch i % 4 {
				case 0:
					_, err := to.Send(s.ctx, m)
					require.NoError(t, err)
				default:
					tx, err := s.db.BeginTx(s.ctx, nil)
					require.NoError(t, err)
					require.NoError(t, s.st.SendTx(s.ctx, tx, to, m))
					if i%4 == 1 {
						require.NoError(t, tx.Rollback())
						tell("undone %s", m.Body)
						continue
					}
					require.NoError(t, tx.Commit())
				}
				tell("sent %s", m.Body)
				if i%4 == 2 {
					require.NoError(t, s.st.Deliver(s.ctx))
				}
			}
		})
	}
	for k := range 2 {
		from := []*Queue{s.outbox, ordered}[k]
		all.Go(func() {
			for i := 0; ; i++ {
				got, err := from.Receive(s.ctx, queue.ReceiveOptions{Max: 10, Wait: time.Second})
				require.NoError(t, err)
				for _, d := range got {
					tell("received %s %d", d.Body, d.ReceiveCount)
					if i%3 == 2 {
						continue // it comes back
					}
					tell("deleting %s", d.Body)
					require.NoError(t, from.Delete(s.ctx, d.Receipt))
					tell("deleted %s", d.Body)
				}
			}
		})
	}
	all.Wait()
}
