package main

import (
	"slices"
	"sync"
	"time"
)

// An event is something that a child process tells its parent.
type event struct {
	What   what
	URL    string `json:",omitzero"` // of who is ready to listen
	Worker string `json:",omitzero"`

	// Of a message.
	ID, Name string `json:",omitzero"`

	At time.Time `json:",omitzero"` // when it was heard
}

type what string

const (
	ready    what = "ready"
	started  what = "started"   // a worker has begun with a message
	finished what = "finished"  // and has done it
	setAside what = "set aside" // before that: there is no doing it
)

// A journal is what all workers have told.
type journal struct {
	mu       sync.Mutex // guards all below
	events   []event
	finished int          // of the events
	after    int          // who begins a message after so many are finished ...
	wanted   chan<- event // ... is wanted here; nil if nobody asks, else with room
}

// hear takes an event down.
func (j *journal) hear(e event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	if e.What == finished {
		j.finished++
	}
	if e.What == started && j.wanted != nil && j.finished >= j.after {
		j.wanted <- e // has room
		j.wanted = nil
	}
}

// watch returns a channel that gets the first beginning of a message after so many
// have been finished.
func (j *journal) watch(after int) <-chan event {
	begun := make(chan event, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.after, j.wanted = after, begun
	return begun
}

// done returns how many messages are finished.
func (j *journal) done() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.finished
}

// all returns the events so far.
func (j *journal) all() []event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

// inHand returns how many messages a worker has begun and not finished.
func (j *journal) inHand(worker string) (n int) {
	for _, e := range j.all() {
		switch {
		case e.Worker != worker:
		case e.What == started:
			n++
		case e.What == finished:
			n--
		}
	}
	return n
}
