package main

import "time"

// A plan is how much is measured: the sizes in the names of the rows, and how
// long and how often.
type plan struct {
	quick      bool          // leave out all rows that aren't marked quick
	rounds     int           // of a row whose rounds take about duration
	slowRounds int           // of the other rows
	duration   time.Duration // of a round, where its size doesn't decide

	backlogs    [3]int // of lifecycles
	inFlight    [2]int // of random deletes
	generations int    // of ageing: how often as many as are in flight are deleted
	queued      [2]int // where memory is measured

	groups       [3]int // of FIFO lifecycles
	groupRounds  int    // where groups are many
	groupBacklog int    // of their queues, unless there are more groups
	blocked      int    // groups beside a hot one
	remembered   int    // deduplication IDs where memory is measured, and groups

	tenants, tenantsSeen, tenantsHeld int // groups of a Standard queue, their messages, and those in flight

	handled      int    // messages that workers handle in a turn
	handledTurns int    // of theirs in a round
	batched      int    // messages that producers send in a round
	handlers     [3]int // goroutines that handle
	producing    int    // goroutines that send

	expiring int
	lead     time.Duration // least time between the receives and their expiry
	sendFor  time.Duration // how long Sends on an idle queue are measured

	polls   int
	pollFor time.Duration
	queues  int

	// With -durable these are measured instead.
	dir       string        // for the files; empty: in memory, all of the above
	producers [4]int        // of durable sends
	diskFor   time.Duration // a round on the disk
	stored    int           // messages where a store is opened, and where its heap is measured
	unsaved   int           // messages of a store without a checkpoint
	inGroups  int           // groups of the FIFO queue among them
}

var fullPlan = plan{
	rounds: 7, slowRounds: 3, duration: 200 * time.Millisecond,
	backlogs: [...]int{1e3, 1e5, 1e7},
	inFlight: [...]int{1e5, 1e6}, generations: 20,
	queued: [...]int{1e6, 1e7},
	groups: [...]int{1, 100, 1e6}, groupRounds: 5, groupBacklog: 1000, blocked: 1e6, remembered: 1e6,
	tenants: 10, tenantsSeen: 1000, tenantsHeld: 100,
	handled: 200_000, handledTurns: 3, batched: 200_000, handlers: [...]int{1, 4, 16}, producing: 16,
	expiring: 1e6, lead: time.Second, sendFor: time.Second,
	polls: 10_000, pollFor: 10 * time.Second, queues: 10_000,
	producers: [...]int{1, 16, 128, 1024}, diskFor: time.Second,
	stored: 5e6, unsaved: 900_000, inGroups: 1e6,
}

var quickPlan = func() plan {
	p := fullPlan
	p.quick = true
	p.rounds, p.slowRounds, p.groupRounds = 5, 1, 2
	p.pollFor = 3 * time.Second
	p.diskFor, p.stored, p.unsaved, p.inGroups = 300*time.Millisecond, 200_000, 200_000, 40_000
	return p
}()
