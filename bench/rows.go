package main

import "fmt"

// A group is a set of trials whose rounds take turns, with the channel hop
// among them.
type group struct {
	name    string
	rounds  int
	entries []entry
}

// An entry of the table is one trial, which yields one row or several.
type entry struct {
	name   string // of its row, or what the names of its rows begin with
	quick  bool   // measured with -quick as well
	trial  trial
	absent string // why it isn't measured, if it has no trial
}

// table lists what is measured, in order. Small is the ring of the yardstick,
// which all rows with bodies of that size share.
func table(p plan, small *ring, progress *progress) []group {
	large := newRing(1024) // its own group's, so that no other heap holds it
	if p.dir != "" {
		return durableTable(p, large, progress)
	}
	return []group{
		{"idle", p.slowRounds, idleEntries(p, small)},
		{"lifecycle of 64 B", p.rounds, lifecycleEntries(p, small)},
		{"lifecycle of 1 KiB", p.rounds, lifecycleEntries(p, large)},
		{"FIFO", p.rounds, fifoEntries(p, small)},
		{"FIFO, many groups", p.groupRounds, manyGroupsEntries(p, small)},
		{"hot group", p.rounds, hotGroupEntries(p, small)},
		{"fairness", p.rounds, tenantsEntries(p, small)},
		{"random deletes", p.rounds, randomDeleteEntries(p, small, progress)},
		{"worker", p.rounds, workerEntries(p, small)},
		{"hand-off to who waits", p.rounds, handOffEntries(p, small)},
		{"sender", p.rounds, senderEntries(p, small)},
		{"expiry", p.slowRounds, expiryEntries(p, small)},
		{"memory", p.slowRounds, memoryEntries(p, small)},
		{"memory of FIFO queues", p.slowRounds, fifoMemoryEntries(p, small)},
		{"test", p.rounds, testEntries()}, // before others use the SDK
		{"sqs", p.rounds, sqsEntries(p, small)},
	}
}

// durableTable is the table of what a file store costs.
func durableTable(p plan, bodies *ring, progress *progress) []group {
	disk := []entry{{name: rawDiskName, quick: true, trial: &rawDisk{dir: p.dir, duration: p.diskFor}}}
	for _, n := range p.producers {
		disk = append(disk, entry{
			name: durableSendName(n), quick: true,
			trial: &durableSend{dir: p.dir, producers: n, bodies: bodies, duration: p.diskFor},
		})
	}
	for _, goroutines := range []int{1, 16} {
		disk = append(disk, entry{
			name: fmt.Sprintf("durable_lifecycle/body=1024/batch=10/goroutines=%d", goroutines), quick: true,
			trial: &durableLifecycle{dir: p.dir, batch: 10, goroutines: goroutines, bodies: bodies, duration: p.diskFor},
		})
	}
	opened := []entry{
		{name: reopenName(p.stored, false), quick: true, trial: &reopen{
			dir: p.dir, messages: p.stored, bodies: bodies, progress: progress,
		}},
		{name: reopenName(p.unsaved, true), quick: true, trial: &reopen{
			dir: p.dir, messages: p.unsaved, crashed: true, bodies: bodies, progress: progress,
		}},
	}
	var heap []entry
	for _, state := range storedStates {
		heap = append(heap, entry{name: storedHeapName(p, state), quick: true, trial: &storedHeap{
			dir: p.dir, messages: p.stored, state: state, groups: p.inGroups, bodies: bodies, progress: progress,
		}})
	}
	return []group{
		{"disk", p.rounds, disk},
		{"opening", 1, opened},
		{"heap of a stored queue", 1, heap},
	}
}

func idleEntries(p plan, bodies *ring) []entry {
	polls := entry{name: idlePollsName(p), quick: true, trial: &idlePolls{polls: p.polls, duration: p.pollFor}}
	if _, ok := cpuTime(); !ok {
		polls.trial, polls.absent = nil, "the CPU time of a process is unknown on this system"
	}
	queues := fmt.Sprintf("idle_queues/queues=%d", p.queues)
	return []entry{
		polls,
		{name: queues + "/used=false", quick: true, trial: &idleQueues{queues: p.queues}},
		{name: queues + "/used=true", quick: true, trial: &idleQueues{queues: p.queues, used: true, bodies: bodies}},
	}
}

func lifecycleEntries(p plan, bodies *ring) (entries []entry) {
	for i, backlog := range p.backlogs {
		for _, goroutines := range []int{1, 8} {
			for _, batch := range []int{1, 10} {
				e := entry{name: lifecycleName(bodies.size, batch, backlog, goroutines)}
				switch {
				case i == 2 && bodies.size > 64:
					e.absent = "it would need more than 10 GB of memory"
				default:
					e.trial = &lifecycle{
						bodies: bodies, batch: batch, backlog: backlog, goroutines: goroutines, duration: p.duration,
					}
				}
				e.quick = bodies.size == 64 && (i == 0 || batch == 1 && goroutines == 1)
				entries = append(entries, e)
			}
		}
	}
	return entries
}

func fifoEntries(p plan, bodies *ring) (entries []entry) {
	// Without a backlog, the group ends with every message.
	entries = append(entries, entry{
		name: fifoLifecycleName(1, 0, 1), quick: true,
		trial: &labelledLifecycle{bodies: bodies, groups: 1, batch: 1, duration: p.duration},
	})
	for i, groups := range p.groups[:2] {
		for _, batch := range []int{1, 10} {
			entries = append(entries, entry{
				name:  fifoLifecycleName(batch, p.groupBacklog, groups),
				quick: i == 1 && batch == 1,
				trial: &labelledLifecycle{
					bodies: bodies, groups: groups, batch: batch, backlog: p.groupBacklog, duration: p.duration,
				},
			})
		}
	}
	return entries
}

func manyGroupsEntries(p plan, bodies *ring) []entry {
	n := p.groups[2]
	trial := func(groups, batch int, scattered bool) *labelledLifecycle {
		return &labelledLifecycle{
			bodies: bodies, groups: groups, scattered: scattered, batch: batch, backlog: n, duration: p.duration,
		}
	}
	return []entry{
		{name: idsLifecycleName(1, n), quick: true, trial: trial(0, 1, false)},
		{name: fifoLifecycleName(1, n, n), quick: true, trial: trial(n, 1, false)},
		{name: fifoLifecycleName(1, n, n) + "/scattered", trial: trial(n, 1, true)},
		{name: fifoLifecycleName(10, n, n), trial: trial(n, 10, false)},
	}
}

func hotGroupEntries(p plan, bodies *ring) (entries []entry) {
	for _, blocked := range []int{1, p.blocked} {
		entries = append(entries, entry{
			name: hotGroupName(blocked),
			trial: &hotGroup{
				blocked: blocked, sent: 2 * p.blocked, backlog: p.groupBacklog, duration: p.duration, bodies: bodies,
			},
		})
	}
	return entries
}

func tenantsEntries(p plan, bodies *ring) []entry {
	trial := func(groups int, stay bool) *tenants {
		return &tenants{
			groups: groups, seen: p.tenantsSeen, held: p.tenantsHeld, stay: stay,
			backlog: p.groupBacklog, turns: 40, duration: p.duration, bodies: bodies,
		}
	}
	return []entry{
		{name: tenantsName(p, p.tenants, 0), quick: true, trial: trial(p.tenants, false)},
		{name: tenantsName(p, 1, p.tenantsSeen-p.tenantsHeld), trial: trial(1, true)},
	}
}

func randomDeleteEntries(p plan, bodies *ring, progress *progress) (entries []entry) {
	for i, n := range p.inFlight {
		entries = append(entries, entry{
			name:  fmt.Sprintf("random_delete/body=64/inflight=%d", n),
			quick: i == 0,
			trial: &randomDelete{inFlight: n, generations: p.generations, duration: p.duration, bodies: bodies, progress: progress},
		})
	}
	return entries
}

func workerEntries(p plan, bodies *ring) (entries []entry) {
	trial := func(goroutines int, metrics bool) *handled {
		return &handled{metrics: metrics, goroutines: goroutines, messages: p.handled, turns: p.handledTurns, bodies: bodies}
	}
	for _, n := range p.handlers {
		worker := trial(n, false)
		entries = append(entries,
			entry{name: workerName(n), quick: true, trial: worker},
			entry{name: bareLoopName(n), quick: true, trial: bareLoops{beside: worker}})
	}
	n := p.handlers[1]
	return append(entries, entry{name: workerName(n) + "/metrics=true", quick: true, trial: trial(n, true)})
}

func handOffEntries(p plan, bodies *ring) []entry {
	channel := &handOff{bodies: bodies, duration: p.duration}
	worker := &handOff{worker: true, bodies: bodies, duration: p.duration, beside: channel}
	return []entry{
		{name: "chan_latency/body=64", quick: true, trial: channel},
		{name: "worker_latency/body=64", quick: true, trial: worker},
	}
}

func senderEntries(p plan, bodies *ring) (entries []entry) {
	for _, way := range sendingWays {
		entries = append(entries, entry{
			name: fmt.Sprintf("send/body=64/producers=%d/way=%s", p.producing, way.name), quick: true,
			trial: &sending{send: way.send, producers: p.producing, messages: p.batched, bodies: bodies},
		})
	}
	return entries
}

func expiryEntries(p plan, bodies *ring) []entry {
	return []entry{{
		name:  fmt.Sprintf("expiry/messages=%d", p.expiring),
		quick: true,
		trial: &expiry{messages: p.expiring, lead: p.lead, sendFor: p.sendFor, bodies: bodies},
	}}
}

func memoryEntries(p plan, bodies *ring) (entries []entry) {
	for i, n := range p.queued {
		entries = append(entries, entry{name: memoryName(n), quick: i == 0, trial: &memory{messages: n, bodies: bodies}})
	}
	return entries
}

func fifoMemoryEntries(p plan, bodies *ring) []entry {
	return []entry{
		{name: groupMemoryName(p.remembered), trial: &groupMemory{groups: p.remembered, bodies: bodies}},
		{name: dedupMemoryName(p.remembered), trial: &dedupMemory{ids: p.remembered, bodies: bodies}},
	}
}

func testEntries() []entry { return []entry{{name: sdkRedriveName, quick: true, trial: sdkRedrive{}}} }

func sqsEntries(p plan, bodies *ring) []entry {
	return []entry{
		{name: sqsName(false, 1), quick: true, trial: &sqsLifecycle{
			goroutines: 1, bodies: bodies, duration: 4 * p.duration,
		}},
		{name: sqsName(true, 8), quick: true, trial: &sqsLifecycle{
			overHTTP: true, goroutines: 8, bodies: bodies, duration: 4 * p.duration,
		}},
	}
}

// The names of rows that have a goal; see goals.

const rawDiskName = "raw_disk/write=4096"

func durableSendName(producers int) string {
	return fmt.Sprintf("durable_send/body=1024/producers=%d", producers)
}

func reopenName(messages int, crashed bool) string {
	return fmt.Sprintf("reopen/body=1024/messages=%d/checkpoint=%t", messages, !crashed)
}

func storedHeapName(p plan, state string) string {
	return fmt.Sprintf("stored_heap/body=1024/messages=%d/state=%s", p.stored, state)
}

func lifecycleName(body, batch, backlog, goroutines int) string {
	return fmt.Sprintf("lifecycle/body=%d/batch=%d/backlog=%d/goroutines=%d", body, batch, backlog, goroutines)
}

func fifoLifecycleName(batch, backlog, groups int) string {
	return fmt.Sprintf("fifo_lifecycle/body=64/batch=%d/backlog=%d/groups=%d", batch, backlog, groups)
}

// idsLifecycleName is that of the Standard queue beside FIFO queues.
func idsLifecycleName(batch, backlog int) string {
	return fmt.Sprintf("lifecycle/body=64/batch=%d/backlog=%d/goroutines=1/ids=made", batch, backlog)
}

func hotGroupName(blocked int) string { return fmt.Sprintf("hot_group/body=64/blocked=%d", blocked) }

func tenantsName(p plan, groups, visible int) string {
	return fmt.Sprintf("ungrouped/body=64/groups=%d/inflight=%d/visible=%d", groups, p.tenantsHeld, visible)
}

func workerName(goroutines int) string {
	return fmt.Sprintf("worker/body=64/goroutines=%d", goroutines)
}

func bareLoopName(goroutines int) string {
	return fmt.Sprintf("bare_loop/body=64/goroutines=%d", goroutines)
}

func groupMemoryName(groups int) string { return fmt.Sprintf("fifo_memory/groups=%d", groups) }

func dedupMemoryName(ids int) string { return fmt.Sprintf("dedup_memory/ids=%d", ids) }

var sdkRedriveName = fmt.Sprintf("sdk_redrive/visibility=%.0f/receives=%d", redriveVisibility.Seconds(), redriveReceives)

func sqsName(overHTTP bool, goroutines int) string {
	return fmt.Sprintf("sqs/body=64/http=%t/goroutines=%d", overHTTP, goroutines)
}

func memoryName(messages int) string { return fmt.Sprintf("memory/body=64/messages=%d", messages) }

func idlePollsName(p plan) string { return fmt.Sprintf("idle_polls/polls=%d", p.polls) }
