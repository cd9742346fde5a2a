package worker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

// A process that works on a directory gets SIGTERM with 50 handlers running and 1,000
// messages queued. What it is to do stands in its environment.
const (
	childDirectory = "RESTANTE_WORKER_DIR"
	childStuck     = "RESTANTE_WORKER_STUCK" // not empty: some handlers don't end
)

const childMessages, childHandlers = 1050, 50

// A childReport is the last line that the child prints.
type childReport struct {
	Stuck int
	Stats queue.Stats // when Run has returned
	Work  worker.Snapshot
}

// TestTerminatedChild is the child.
func TestTerminatedChild(t *testing.T) {
	directory := os.Getenv(childDirectory)
	if directory == "" {
		t.Skip("for the child process of another test")
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	store, err := filestore.Open(t.Context(), directory, filestore.Options{SegmentSize: 1 << 20})
	require.NoError(t, err)
	q, err := standard.Open(t.Context(), store, queue.Config{Name: "jobs", VisibilityTimeout: queue.MaxVisibility})
	require.NoError(t, err)
	put(t, q, queue.Standard, numbers("", childMessages)...)

	var m worker.Metrics
	var mu sync.Mutex
	began := 0
	err = worker.Run(ctx, q, func(handling context.Context, d *queue.Delivery) error {
		mu.Lock()
		began++
		n := began
		fmt.Println("began")
		mu.Unlock()
		<-ctx.Done()
		switch {
		case n%3 == 0: // ends in time
			mu.Lock()
			fmt.Println("done", d.Body)
			mu.Unlock()
			return nil
		case n%3 == 1 || os.Getenv(childStuck) == "": // gives up
			<-handling.Done()
			return context.Cause(handling)
		default:
			select {}
		}
	}, worker.Options{Concurrency: childHandlers, Grace: 500 * ms, Logger: mute, Metrics: &m})
	report := childReport{Stats: statsOf(t, q), Work: m.Snapshot()}
	if stuck := (*worker.StuckError)(nil); errors.As(err, &stuck) {
		report.Stuck = stuck.Running
	} else {
		require.NoError(t, err)
	}
	text, err := json.Marshal(report)
	require.NoError(t, err)
	fmt.Println("report", string(text))
	require.NoError(t, q.Close())
	require.NoError(t, store.Close())
	os.Exit(0) // whatever is stuck
}

func TestTerminatedProcessLosesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM")
	}
	for _, stuck := range []string{"", "yes"} {
		t.Run("stuck="+stuck, func(t *testing.T) {
			directory := t.TempDir()
			self, err := os.Executable()
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it hangs
			defer cancel()
			command := exec.CommandContext(ctx, self, "-test.run", "^TestTerminatedChild$")
			command.Env = append(os.Environ(), childDirectory+"="+directory, childStuck+"="+stuck)
			command.Stderr = os.Stderr
			out, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())

			began, done := 0, map[string]bool{}
			var report childReport
			var others []string
			for lines := bufio.NewReader(out); ; {
				line, err := lines.ReadString('\n')
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
				case "began":
					if began++; began == childHandlers {
						require.NoError(t, command.Process.Signal(syscall.SIGTERM))
					}
				case "done":
					done[rest] = true
				case "report":
					require.NoError(t, json.Unmarshal([]byte(rest), &report))
				default:
					others = append(others, line)
				}
			}
			require.NoError(t, command.Wait(), "%q", others)

			require.Equal(t, childHandlers, began, "nothing is begun after the signal")
			require.Len(t, done, childHandlers/3)
			if stuck == "" {
				require.Zero(t, report.Stuck)
			} else {
				require.Equal(t, 17, report.Stuck)
			}
			require.EqualValues(t, len(done), report.Work.Done)
			require.EqualValues(t, len(done), report.Stats.Deleted)
			require.Zero(t, report.Stats.InFlight, "what isn't done is receivable at once")
			require.Equal(t, childMessages-len(done), report.Stats.Visible)

			store, err := filestore.Open(t.Context(), directory, filestore.Options{})
			require.NoError(t, err)
			q, err := standard.Open(t.Context(), store, queue.Config{Name: "jobs"})
			require.NoError(t, err)
			for _, d := range receivable(t, q) {
				require.False(t, done[d.Body], "%s is there twice, or though it was done", d.Body)
				done[d.Body] = true
			}
			require.Len(t, done, childMessages, "nothing is lost")
			require.NoError(t, q.Close())
			require.NoError(t, store.Close())
		})
	}
}
