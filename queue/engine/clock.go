package engine

import "time"

// A clock tells wall time in ns since 1970, without ever going back: it reads
// the wall once and from then on the monotonic clock, which is also the cheaper
// one to read. Setting the wall clock back or forth moves no deadline of a
// running queue.
type clock struct {
	start time.Time
	wall  int64 // ns at start
}

// newClock makes a clock that starts no earlier than the latest time that is
// on record, in ms.
func newClock(recorded int64) clock {
	now := time.Now()
	return clock{now, max(now.UnixNano(), recorded*int64(time.Millisecond))}
}

func (c *clock) now() int64 { return c.wall + int64(time.Since(c.start)) }

// floor rounds an instant in ns down to ms. An instant that is compared with deadlines
// or recorded is rounded down, a deadline up: so nothing happens early.
func floor(ns int64) int64 { return ns / int64(time.Millisecond) }

// millis rounds a duration up to ms.
func millis(d time.Duration) int64 {
	return int64(d/time.Millisecond) + min(1, int64(d%time.Millisecond))
}

// deadline returns the first tick that is not before now+d, in ms.
func deadline(now int64, d time.Duration) int64 {
	whole, rest := int64(d)/int64(time.Millisecond), int64(d)%int64(time.Millisecond)
	ms, part := now/int64(time.Millisecond), now%int64(time.Millisecond)
	return ms + whole + (part+rest+int64(time.Millisecond)-1)/int64(time.Millisecond)
}

// instant turns a time of a slot into a time.Time; zero stays zero.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
