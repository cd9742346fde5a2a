package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"
)

// A job is what a child process is for. On its command line it stands in this
// order: worker "worker 2" DIR http://127.0.0.1:4567 100ms.
type job struct {
	role  string // in roles
	name  string // for people: "worker 2"
	dir   string // of all files
	queue string // URL of the queue's process; empty for that one
	work  time.Duration
}

// roles are what a process of this program may be beside the first one. Each runs
// until its context ends, and tells the first one when it is ready.
var roles = map[string]func(ctx context.Context, j job, tell func(event)) error{
	"queue":  serveQueue,
	"web":    serveWeb,
	"worker": makeThumbnails,
}

// A process is a child of this one.
//
//	parent ── standard input, on which nothing is ever written ──► child
//	       ◄── standard output: events in JSON, "ready" first ────
//
// When its standard input ends a child stops in good order. That happens when the
// parent calls stop, and also if the parent is killed. So no orphans stay behind.
type process struct {
	job
	url   string // where it listens, if it does
	cmd   *exec.Cmd
	lever io.Closer     // its standard input
	ended chan struct{} // closed when the process has ended and all it has told was heard
	err   error         // how it ended; to be read after that
}

// launch starts a process and returns when it is ready. What it tells afterwards
// goes to hear, one event after the other.
func launch(j job, hear func(event)) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{job: j, ended: make(chan struct{})}
	p.cmd = exec.Command(program, j.role, j.name, j.dir, j.queue, j.work.String())
	p.cmd.Stderr = os.Stderr
	if p.lever, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	events := json.NewDecoder(output)
	var first event
	if err := events.Decode(&first); err != nil || first.What != ready {
		p.cmd.Process.Kill()
		return nil, fmt.Errorf("%s did not get ready: %w", j.name, errors.Join(err, p.cmd.Wait()))
	}
	p.url = first.URL
	go func() { // ends with the process; stop and kill wait for it
		defer close(p.ended)
		for {
			var e event
			if events.Decode(&e) != nil { // the end, perhaps in the middle of an event
				break
			}
			e.At = time.Now()
			hear(e)
		}
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// kill ends the process at once, as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // it may have ended by itself
	<-p.ended
	p.err = nil // what kill says of it is no failure
	p.lever.Close()
}

// stopTime is how long a process may take to stop. A worker finishes what it has
// in its hands.
const stopTime = 10 * time.Second

// stop lets the process end in good order, and returns when it has ended. It does
// nothing if that was before.
func (p *process) stop() error {
	p.lever.Close()
	late := time.AfterFunc(stopTime, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// stopAll stops processes at the same time.
func stopAll(all []*process) error {
	errs := make([]error, len(all))
	var stopping sync.WaitGroup // each for stopTime at most
	for i, p := range all {
		stopping.Go(func() { errs[i] = p.stop() })
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// child is the life of a child process. It returns the exit status.
func child(role func(context.Context, job, func(event)) error, args []string) int {
	signal.Ignore(os.Interrupt) // Ctrl-C reaches every process of a terminal; the parent says when to stop
	if len(args) != 5 {
		fmt.Fprintf(os.Stderr, "thumbnails: %s is started by the program itself\n", args[0])
		return 2
	}
	work, err := time.ParseDuration(args[4])
	if err == nil {
		ctx, stop := context.WithCancel(context.Background())
		go func() { // ends with the parent's end of the pipe, or with this process
			io.Copy(io.Discard, os.Stdin)
			stop()
		}()
		err = role(ctx, job{role: args[0], name: args[1], dir: args[2], queue: args[3], work: work}, tell)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "thumbnails: %s: %v\n", args[1], err)
		return 1
	}
	return 0
}

// tell tells the parent. If that is gone, the write to the broken pipe ends this
// process where there are signals, and the end of standard input does elsewhere.
func tell(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	os.Stdout.Write(append(line, '\n')) // in one piece: workers tell from several goroutines
}
