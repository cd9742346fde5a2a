package main

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// What B records it keeps when it is killed, and each order once.
func TestKilledAndBack(t *testing.T) {
	noneLeft(t)
	b, err := startB()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.kill() }()
	client := newClient()
	defer client.CloseIdleConnections()
	ask := func(number int) error {
		return post(t.Context(), client, b.url(), order{number}, callTimeout)
	}
	if err := errors.Join(ask(1), ask(2), ask(1)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []int{0, -1} {
		if ask(bad) == nil {
			t.Errorf("B took order number %d", bad)
		}
	}
	first := b.all()

	for range 2 { // the second time it is down already
		if err := b.kill(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if ask(3) == nil {
			t.Error("B has answered, though it is down")
		}
	}
	if err := b.comeBack(t.Context()); err != nil {
		t.Skip(err) // somebody else got the port
	}
	if err := errors.Join(ask(2), ask(4)); err != nil {
		t.Errorf("B is back: %v", err)
	}
	records := b.all()
	for number, times := range map[int]int{1: 2, 2: 2, 4: 1} {
		if records[number].times != times {
			t.Errorf("order %d: %d times; want %d", number, records[number].times, times)
		}
	}
	if len(records) != 3 || records[1] != first[1] || records[2].at != first[2].at {
		t.Errorf("records were %v, are %v; want the old ones and one more", first, records)
	}
}

// A request that is cut off leaves its record, and no answer.
func TestCutOff(t *testing.T) {
	noneLeft(t)
	b, err := startB()
	if err != nil {
		t.Fatal(err)
	}
	defer b.kill()
	client := newClient()
	defer client.CloseIdleConnections()
	for n := 1; ; n++ { // until it is killed before the answer
		answered := make(chan error, 1)
		go func() { // ends with the answer
			answered <- post(t.Context(), client, b.url(), order{n}, callTimeout)
		}()
		for b.all()[n].times == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		if err := b.kill(); err != nil {
			t.Fatal(err)
		}
		if <-answered != nil {
			return
		}
		if n == 10 {
			t.Fatal("B has answered each time, though it was killed")
		}
		if err := b.comeBack(t.Context()); err != nil {
			t.Skip(err)
		}
	}
}

func TestComeBackEnds(t *testing.T) {
	b, err := startB()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.kill(); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", b.addr)
	if err != nil {
		t.Skip(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.comeBack(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("comeBack to a port that is taken: %v; want %v", err, context.DeadlineExceeded)
	}
}

func TestRetryAfter(t *testing.T) {
	for receives, want := range []time.Duration{firstRetry, firstRetry, 2 * firstRetry, 4 * firstRetry, lastRetry, lastRetry, lastRetry} {
		if got := retryAfter(receives); got != want {
			t.Errorf("after %d receives: %v; want %v", receives, got, want)
		}
	}
	if got := retryAfter(1 << 30); got != lastRetry {
		t.Errorf("after many receives: %v; want %v", got, lastRetry)
	}
}
