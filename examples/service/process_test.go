package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
)

// With this variable set, the test binary is the program.
const asProgram = "RESTANTE_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A process is the service as a process of its own, with HTTP over the loopback.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	errors bytes.Buffer // read when it has ended
	client http.Client
}

// launch starts the service and returns when it listens.
func launch(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], "-store", dir, "-addr", "127.0.0.1:0")}
	p.client = http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.errors
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "listening on ") {
		p.cmd.Wait()
		t.Fatalf("printed %q and %s; want where it listens", lines.Text(), &p.errors)
	}
	p.url = strings.TrimPrefix(lines.Text(), "listening on ")
	for range 4 {
		lines.Scan() // how to try it
	}
	return p
}

// post sends a job and returns its ID, "" if it was not acknowledged.
func (p *process) post(body string) (id string) {
	answer, err := p.client.Post(p.url+"/jobs", "application/json", strings.NewReader(body))
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	var sent struct{ ID string }
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusAccepted || json.Unmarshal(text, &sent) != nil {
		return ""
	}
	return sent.ID
}

// await returns when the counters are as wanted.
func (p *process) await(what string, wanted func(jobs, dead queue.Stats) bool) {
	p.t.Helper()
	var s struct{ Jobs, Dead queue.Stats }
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		answer, err := p.client.Get(p.url + "/stats")
		if err != nil {
			p.t.Fatal(err)
		}
		err = json.NewDecoder(answer.Body).Decode(&s)
		answer.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		if wanted(s.Jobs, s.Dead) {
			return
		}
	}
	p.t.Fatalf("waited 20s for %s; stats are %+v", what, s)
}

// stop sends SIGTERM, and fails unless the process then ends in time with exit
// status 0.
func (p *process) stop(limit time.Duration) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil || time.Since(began) > limit {
		p.t.Errorf("after SIGTERM: %v in %v, printed\n%s; want exit status 0 within %v", err, time.Since(began), &p.errors, limit)
	}
}

func needsSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped on Windows: there is neither SIGKILL nor SIGTERM")
	}
}

func none(s queue.Stats) bool { return s.Pending+s.Delayed+s.Visible+s.InFlight == 0 }

func TestKill(t *testing.T) {
	needsSignals(t)
	const kills = maxReceives - 1 // each may be a try of a job
	dir := filepath.Join(t.TempDir(), "store")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))

	var mu sync.Mutex // guards acknowledged
	var acknowledged []string
	for range kills {
		p := launch(t, dir)
		enough := make(chan struct{}) // closed when it is time to kill
		mu.Lock()
		goal := len(acknowledged) + 1 + dice.IntN(100)
		mu.Unlock()
		var clients sync.WaitGroup
		for c := range 4 {
			clients.Go(func() {
				for n := 0; ; n++ { // until the service is gone
					id := p.post(fmt.Sprintf(`{"name":"job %d of client %d","takes":"%dms"}`, n, c, n%5))
					if id == "" {
						return
					}
					mu.Lock()
					acknowledged = append(acknowledged, id)
					if len(acknowledged) == goal {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		select {
		case <-enough:
		case <-time.After(20 * time.Second):
			t.Fatal("jobs are not acknowledged")
		}
		time.Sleep(time.Duration(dice.IntN(int(5 * time.Millisecond))))
		p.cmd.Process.Kill()
		p.cmd.Wait()
		clients.Wait()
	}

	recorded := len(done(t, filepath.Join(dir, "done.log")))
	p := launch(t, dir)
	p.await("an empty queue", func(jobs, dead queue.Stats) bool {
		if dead.Visible > 0 {
			t.Fatal("a job went to the dead-letter queue")
		}
		return none(jobs)
	})
	p.stop(5 * time.Second)
	ids := done(t, filepath.Join(dir, "done.log"))
	t.Logf("%d kills, %d jobs acknowledged, %d records before the last start, %d in the end", kills, len(acknowledged), recorded, len(ids))
	for _, id := range acknowledged {
		if !slices.Contains(ids, id) {
			t.Errorf("job %s was acknowledged and not done", id)
		}
	}
}

func TestTerminate(t *testing.T) {
	needsSignals(t)
	dir := filepath.Join(t.TempDir(), "store")
	log := filepath.Join(dir, "done.log")
	p := launch(t, dir)
	const n = 3 * workers
	for range n {
		if p.post(`{"name":"a","takes":"400ms"}`) == "" {
			t.Fatal("a job was not acknowledged")
		}
	}
	p.await("work in every hand", func(jobs, _ queue.Stats) bool { return jobs.InFlight == workers })
	p.stop(5 * time.Second)
	first := len(done(t, log))
	if first < workers || first == n {
		t.Errorf("%d jobs are done of %d; want those that were in hand", first, n)
	}
	if p.post(`{"name":"late"}`) != "" {
		t.Error("a job was accepted after the end")
	}

	p = launch(t, dir)
	p.await("an empty queue", func(jobs, _ queue.Stats) bool { return none(jobs) })
	p.stop(5 * time.Second)
	ids := done(t, log)
	slices.Sort(ids)
	if len(ids) != n || len(slices.Compact(ids)) != n {
		t.Errorf("%d records; want %d jobs done, each once", len(ids), n)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-store", "x", "more"}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !bytes.Contains(out, []byte("-store DIR")) {
			t.Errorf("%q: exit status %d, printed %s; want 2, and the usage", args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

func TestSecondProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	p := launch(t, dir)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-store", dir, "-addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte(queue.ErrStoreLocked.Error())) {
		t.Errorf("a second process: %v, printed %s; want %q", err, out, queue.ErrStoreLocked)
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
