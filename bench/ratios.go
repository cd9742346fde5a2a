package main

// roundsTo is the sign of a ratio that is compared to one decimal.
const roundsTo = "rounds to"

// within is the sign of a ratio with a least value, low, and a greatest, its goal.
const within = "within 0.8 and"

const low = 0.8

// A ratio is a quotient that has a goal.
type ratio struct {
	Value       float64 `json:"value"`
	Numerator   float64 `json:"numerator"`
	Denominator float64 `json:"denominator"`
	Unit        string  `json:"unit"`
	Goal        float64 `json:"goal"`
	Met         bool    `json:"met"`

	name, of string // of what it is the ratio, in words
	sign     string // how the value must compare with the goal
}

// ratios returns the ratios whose rows were measured, in order.
func ratios(p plan, rs *results) (list []ratio) {
	add := func(r ratio) {
		r.Value = r.Numerator / r.Denominator
		switch r.sign {
		case "<":
			r.Met = r.Value < r.Goal
		case "<=":
			r.Met = r.Value <= r.Goal
		case ">=":
			r.Met = r.Value >= r.Goal
		case within:
			r.Met = low <= r.Value && r.Value <= r.Goal
		case roundsTo:
			// A page that many messages share is no allocation of each.
			r.Met = r.Value < r.Goal+0.05
		}
		list = append(list, r)
	}
	// over adds the ratio of the medians of two rows.
	over := func(name string, a, b *row, goal float64) {
		if a == nil || b == nil {
			return
		}
		add(ratio{
			name: name, of: a.Name + " over " + b.Name, Numerator: a.Median, Denominator: b.Median,
			Unit: a.Unit, Goal: goal, sign: "<=",
		})
	}
	// own adds the ratio that a row is itself.
	own := func(name string, a *row, sign string, goal float64) {
		if a == nil {
			return
		}
		add(ratio{
			name: name, of: a.Name, Numerator: a.Numerator, Denominator: a.Denominator,
			Unit: a.Unit, Goal: goal, sign: sign,
		})
	}

	batch1 := rs.find("", lifecycleName(64, 1, p.backlogs[0], 1))
	batch10 := rs.find("", lifecycleName(64, 10, p.backlogs[0], 1))
	deep := rs.find("", lifecycleName(64, 1, p.backlogs[2], 1))
	if batch1 != nil {
		hop := rs.find(batch1.Group, chanName)
		over("lifecycle_batch10_over_chan", batch10, hop, 2.5)
		over("lifecycle_batch1_over_chan", batch1, hop, 5)
		over("backlog_1e7_over_1e3", deep, batch1, 1.3)
		add(ratio{
			name: "allocs_per_lifecycle", of: batch1.Name, Numerator: *batch1.Allocs * batch1.Denominator,
			Denominator: batch1.Denominator, Unit: "allocations/message", Goal: 0, sign: roundsTo,
		})
	}
	many := p.groups[2]
	over("fifo_1e6_groups_over_standard",
		rs.find("", fifoLifecycleName(1, many, many)), rs.find("", idsLifecycleName(1, many)), 2)
	over("fifo_hot_group_1e6_blocked_over_1",
		rs.find("", hotGroupName(p.blocked)), rs.find("", hotGroupName(1)), 1.5)
	ungrouped := tenantsName(p, p.tenants, 0)
	over("standard_ungrouped_over_plain", rs.find("", ungrouped), rs.find("", ungrouped+"/plain"), 1.05)
	own("fifo_bytes_per_group", rs.find("", groupMemoryName(p.remembered)), "<=", 200)
	own("fifo_bytes_per_dedup", rs.find("", dedupMemoryName(p.remembered)), "<=", 40)
	own("bytes_per_message", rs.find("", memoryName(p.queued[0])), "<=", 80)
	// speed adds how many times as many messages a row makes in a second.
	speed := func(name string, a, b *row, sign string, goal float64) {
		if a == nil || b == nil {
			return
		}
		add(ratio{
			name: name, of: b.Name + " over " + a.Name, Numerator: b.Median, Denominator: a.Median,
			Unit: a.Unit, Goal: goal, sign: sign,
		})
	}
	raw := rs.find("", rawDiskName)
	speed("durable_send_1_speed_of_raw_disk", rs.find("", durableSendName(p.producers[0])), raw, within, 1.1)
	speed("durable_send_128_speed_of_raw_disk", rs.find("", durableSendName(p.producers[2])), raw, ">=", 40)
	own("reopen_with_checkpoint_of_a_read", rs.find("", reopenName(p.stored, false)), "<=", 0.2)
	own("reopen_without_checkpoint_of_a_read", rs.find("", reopenName(p.unsaved, true)), "<=", 3)
	for _, state := range storedStates {
		if state == grouped {
			continue // deduplication IDs alone, which are in memory for five minutes, take more: see the rows
		}
		for _, when := range []string{"rest", "drain"} {
			own("heap_"+state+"_"+when, rs.find("", storedHeapName(p, state)+"/"+when), "<=", 64)
		}
	}
	own("sdk_12h_redrive_ms", rs.find("", sdkRedriveName), "<=", 50)
	own("sqs_in_process_over_constants", rs.find("", sqsName(false, 1)+"/ratio"), "<=", 1.15)
	own("sqs_http_speed_of_constants", rs.find("", sqsName(true, 8)+"/ratio"), ">=", 0.85)
	if r := rs.find("", workerName(p.handlers[1])+"/ratio"); r != nil {
		add(ratio{
			name: "worker_over_bare_loop", of: r.Name, Numerator: r.Numerator, Denominator: r.Denominator,
			Unit: "ns/message", Goal: 1.5, sign: "<=",
		})
	}
	own("idle_polls_core_share", rs.find("", idlePollsName(p)), "<", 0.01)
	return list
}
