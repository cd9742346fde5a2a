package visibility_test

import (
	"fmt"

	"github.com/restantemq/restante/visibility"
)

// A queue hands out three messages. The second is deleted in time, the third
// gets more time, and the first comes back.
func Example() {
	names := []string{"first", "second", "third"}
	const timeout = 30_000 // ticks; here milliseconds

	var wheel visibility.Wheel
	now := int64(1_767_225_600_000)
	due := make([]uint64, 8)
	wheel.Advance(now, due) // tell the wheel the time before the first Schedule

	handles := make([]visibility.Handle, len(names))
	for i := range names {
		handles[i] = wheel.Schedule(now+timeout, uint64(i))
	}
	wheel.Cancel(handles[1])
	wheel.Reschedule(handles[2], now+2*timeout)

	for _, passed := range []int64{29_999, 30_000, 60_000} {
		for more := true; more; {
			var n int
			n, more = wheel.Advance(now+passed, due)
			fmt.Printf("after %d ms: %d due\n", passed, n)
			for _, v := range due[:n] {
				fmt.Println(" ", names[v])
			}
			// A caller with a lock lets go of it here, if there is more.
		}
	}
	// Output:
	// after 29999 ms: 0 due
	// after 30000 ms: 1 due
	//   first
	// after 60000 ms: 1 due
	//   third
}

// A timer armed at Next, and armed again after each Advance, is at the deadline
// after a few wakes in vain: at the first tick of each slot that the entry goes
// through.
func ExampleWheel_Next() {
	var wheel visibility.Wheel
	wheel.Schedule(5_000, 1)
	due := make([]uint64, 8)
	for {
		t, ok := wheel.Next()
		if !ok {
			break
		}
		n, _ := wheel.Advance(t, due)
		fmt.Printf("at %d: %d due\n", t, n)
	}
	// Output:
	// at 4096: 0 due
	// at 4992: 0 due
	// at 5000: 1 due
}
