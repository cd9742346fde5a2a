package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// inBubble runs test in a bubble of testing/synctest, as the test of somebody
// else would run there, and returns what it complains of. It must not be called
// in a bubble.
//
// A bubble wants a parent, and only go test makes one that is more than its zero
// value. That suffices: the bubble's own T has all that a test needs except
// somewhere to print, which a witness has.
func inBubble(test func(t testing.TB)) error {
	var (
		w     *witness
		ended = make(chan struct{})
	)
	go func() { // ends with the bubble; a test that failed ends its goroutine
		defer close(ended)
		synctest.Test(new(testing.T), func(t *testing.T) {
			w = &witness{T: t}
			test(w)
		})
	}()
	<-ended
	if !w.Failed() {
		return nil
	}
	return errors.New("the test failed: " + strings.TrimSpace(w.said.String()))
}

// A witness is the T of a test, but remembers what the test says instead of
// printing it.
type witness struct {
	*testing.T

	mu   sync.Mutex
	said strings.Builder // guarded by mu
}

func (w *witness) Log(args ...any) { w.say(fmt.Sprintln(args...)) }

func (w *witness) Logf(format string, args ...any) { w.say(fmt.Sprintf(format, args...)) }

func (w *witness) Error(args ...any) {
	w.Log(args...)
	w.Fail()
}

func (w *witness) Errorf(format string, args ...any) {
	w.Logf(format, args...)
	w.Fail()
}

func (w *witness) Fatal(args ...any) {
	w.Log(args...)
	w.FailNow()
}

func (w *witness) Fatalf(format string, args ...any) {
	w.Logf(format, args...)
	w.FailNow()
}

func (w *witness) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said.WriteString(strings.TrimSuffix(text, "\n") + "\n")
}
