package filestore

import "time"

const (
	// syncDelay is how long LoseLastSecond lets pass before what was written is
	// synced. A sync takes time as well.
	syncDelay = 900 * time.Millisecond

	// lookDelay is when the file system is looked at again that had no room.
	lookDelay = time.Second
)

// An alarm calls a function once, later. Its fields are guarded by Store.mu. The
// zero alarm is not set.
type alarm struct {
	timer *time.Timer   // nil: not set
	ended chan struct{} // closed when the function has ended
}

// set makes f run after a while, with s.mu held, unless the alarm is set
// already. f may release s.mu meanwhile. The caller must hold s.mu.
func (s *Store) set(a *alarm, after time.Duration, f func()) {
	if a.timer != nil || s.closed {
		return
	}
	ended := make(chan struct{})
	a.ended = ended
	// The goroutine ends when f does; Close waits for that.
	a.timer = time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
		a.timer = nil
		close(ended)
		s.syncLater() // what was written meanwhile
	})
}

// stop ends an alarm and waits for the end of its function. The caller must hold
// s.mu, which is released meanwhile.
func (s *Store) stop(a *alarm) {
	if a.timer == nil || a.timer.Stop() {
		a.timer = nil
		return
	}
	ended := a.ended
	s.mu.Unlock()
	<-ended
	s.mu.Lock()
}

// syncLater sees to it that what was written is synced. The caller must hold
// s.mu.
func (s *Store) syncLater() {
	if s.options.Sync != LoseLastSecond || s.durable >= s.written || s.err != nil {
		return
	}
	s.set(&s.syncAlarm, syncDelay, func() { s.waitDurable(s.written) })
}

// lookLater sees to it that the file system is looked at again. The caller must
// hold s.mu.
func (s *Store) lookLater() {
	s.set(&s.lookAlarm, lookDelay, func() {
		s.mu.Unlock()
		s.tend()
		s.mu.Lock()
	})
}
