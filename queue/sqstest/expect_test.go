package sqstest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// afterAStory has a story happen, and then asks the kit something. It returns what made
// the test fail.
//
// The story: "good" is deleted after one second; "bad" is received twice and goes to the
// dead-letter queue; "twin" is there twice, and one is deleted; "late" is delayed.
func afterAStory(t *testing.T, ask func(k *sqstest.Kit, jobs, dead *sqstest.Queue)) []string {
	t.Helper()
	var said []string
	synctest.Test(t, func(t *testing.T) {
		said = try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			dead := k.Create("dead", queue.Config{})
			jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
			send(tr, jobs, "good", "bad", "twin", "twin")
			_, err := jobs.Send(tr.Context(), queue.Message{Body: "late", Delay: 10 * time.Minute})
			require.NoError(t, err)
			ds := poll(tr, jobs)
			require.Len(t, ds, 4)
			k.Advance(time.Second)
			require.NoError(t, jobs.Delete(tr.Context(), ds[0].Receipt))
			require.NoError(t, jobs.Delete(tr.Context(), ds[2].Receipt))
			require.NoError(t, jobs.ChangeVisibility(tr.Context(), ds[3].Receipt, time.Hour))
			k.Advance(time.Minute)
			_ = poll(tr, jobs)
			k.Advance(time.Minute)
			_ = poll(tr, jobs)
			require.Empty(t, tr.errors)
			ask(k, jobs, dead)
		}).errors
	})
	return said
}

const (
	lifeOfGood = `  #1 "good"
                0s  sent
                0s  received (1), for 30s
                1s  deleted
`
	lifeOfBad = `  #2 "bad"
                0s  sent
                0s  received (1), for 30s
               30s  visible again, timed out
              1m1s  received (2), for 30s
             1m31s  visible again, timed out
              2m1s  moved to the dead-letter queue
              2m1s  dead: arrived
`
	lifeOfDeletedTwin = `  #3 "twin"
                0s  sent
                0s  received (1), for 30s
                1s  deleted
`
	lifeOfTwinInFlight = `  #4 "twin"
                0s  sent
                0s  received (1), for 30s
                1s  hidden, for 1h0m0s
`
	lifeOfLate = `  #5 "late"
                0s  sent
                0s  delayed, for 10m0s
`
	thereWere = `  there were "good", "bad", "twin", "twin", "late"`
)

func TestExpectationsThatHold(t *testing.T) {
	require.Empty(t, afterAStory(t, func(k *sqstest.Kit, jobs, dead *sqstest.Queue) {
		jobs.ExpectSent("good", 1)
		jobs.ExpectSent("twin", 2)
		jobs.ExpectSent("late", 1)
		jobs.ExpectSent("unheard of", 0)
		dead.ExpectSent("bad", 0) // it arrived there, but nobody sent it there

		jobs.ExpectReceived("good", 1)
		jobs.ExpectReceived("bad", 2)
		jobs.ExpectReceived("twin", 2)
		jobs.ExpectReceived("late", 0)
		jobs.ExpectReceived("unheard of", 0)
		dead.ExpectReceived("bad", 0)

		jobs.ExpectDeleted("good")
		jobs.ExpectDeadLettered("bad")
		jobs.ExpectOrder("", "good", "bad", "twin", "twin")
		jobs.ExpectOrder("unheard of")
		dead.ExpectOrder("")

		dead.ExpectNone(time.Minute)
		work(t, dead)
		dead.ExpectEmpty()
		dead.ExpectDeleted("bad")
		dead.ExpectReceived("bad", 1)
		jobs.ExpectReceived("bad", 2)
		k.ExpectNone(time.Minute, nil)
	}))
}

func TestTheTextOfAnExpectationThatDoesNotHold(t *testing.T) {
	for name, c := range map[string]struct {
		ask  func(k *sqstest.Kit, jobs, dead *sqstest.Queue)
		want []string // what is said
	}{
		"ExpectSent, too few": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectSent("good", 2) },
			[]string{"sqstest: \"good\" was sent to jobs once, want 2\n" + lifeOfGood},
		},
		"ExpectSent, too many": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectSent("twin", 0) },
			[]string{"sqstest: \"twin\" was sent to jobs 2 times, want 0\n" + lifeOfDeletedTwin + lifeOfTwinInFlight},
		},
		"ExpectSent, none": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectSent("unheard of", 3) },
			[]string{"sqstest: \"unheard of\" was sent to jobs 0 times, want 3\n" + thereWere},
		},
		"ExpectReceived": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectReceived("bad", 1) },
			[]string{"sqstest: \"bad\" was received from jobs 2 times, want 1\n" + lifeOfBad},
		},
		"ExpectReceived, elsewhere": {
			func(_ *sqstest.Kit, _, dead *sqstest.Queue) { dead.ExpectReceived("bad", 2) },
			[]string{"sqstest: \"bad\" was received from dead 0 times, want 2\n" + lifeOfBad},
		},
		"ExpectDeleted": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectDeleted("good", "bad") },
			[]string{"sqstest: \"bad\" was not deleted from jobs\n" + lifeOfBad},
		},
		"ExpectDeleted, one of two": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectDeleted("twin") },
			[]string{"sqstest: \"twin\" was not deleted from jobs\n" + lifeOfTwinInFlight},
		},
		"ExpectDeleted, several": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectDeleted("unheard of", "bad") },
			[]string{"sqstest: no message \"unheard of\" was in jobs\n" + thereWere, "sqstest: \"bad\" was not deleted from jobs\n" + lifeOfBad},
		},
		"ExpectDeadLettered": {
			func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectDeadLettered("bad", "good") },
			[]string{"sqstest: \"good\" was not moved to the dead-letter queue from jobs\n" + lifeOfGood},
		},
		"ExpectDeadLettered, none": {
			func(_ *sqstest.Kit, _, dead *sqstest.Queue) { dead.ExpectDeadLettered("bad", "good") },
			[]string{
				"sqstest: \"bad\" was not moved to the dead-letter queue from dead\n" + lifeOfBad,
				"sqstest: no message \"good\" was in dead\n  there were \"bad\"",
			},
		},
		"ExpectEmpty": {
			func(_ *sqstest.Kit, _, dead *sqstest.Queue) { dead.ExpectEmpty() },
			[]string{"sqstest: dead is not empty\n" + lifeOfBad},
		},
		"ExpectNone": {
			func(k *sqstest.Kit, jobs, _ *sqstest.Queue) {
				go func() {
					k.Advance(time.Second)
					_, _ = jobs.Send(context.Background(), queue.Message{Body: "more"})
				}()
				jobs.ExpectNone(time.Minute, queue.StepAccepted)
			},
			[]string{"sqstest: expected nothing of the kind for 1m0s, but a message of jobs was accepted 2m2s after New\n" +
				"  #6 \"more\"\n              2m2s  sent\n"},
		},
		"one life, twice": {
			func(_ *sqstest.Kit, jobs, dead *sqstest.Queue) {
				jobs.ExpectReceived("bad", 1)
				jobs.ExpectDeleted("bad")
			},
			[]string{
				"sqstest: \"bad\" was received from jobs 2 times, want 1\n" + lifeOfBad,
				"sqstest: \"bad\" was not deleted from jobs\n  #2 \"bad\", see above\n",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, afterAStory(t, c.ask))
		})
	}
}

func TestExpectOrderShowsBothOrders(t *testing.T) {
	for name, wanted := range map[string][]string{
		"another order": {"bad", "good", "twin", "twin"},
		"one missing":   {"good", "bad", "twin", "twin", "late"},
		"one too many":  {"good", "bad", "twin"},
		"none":          {},
	} {
		t.Run(name, func(t *testing.T) {
			said := afterAStory(t, func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) { jobs.ExpectOrder("", wanted...) })
			require.Len(t, said, 1)
			require.Contains(t, said[0], `group "" of jobs`)
			var quoted []string
			for _, body := range wanted {
				quoted = append(quoted, fmt.Sprintf("%q", body))
			}
			require.Contains(t, said[0], "\n  wanted "+strings.Join(quoted, ", "))
			require.Contains(t, said[0], "\n  got    \"good\", \"bad\", \"twin\", \"twin\"")
		})
	}
}

func TestExpectationsAboutNoBodiesFail(t *testing.T) {
	said := afterAStory(t, func(_ *sqstest.Kit, jobs, dead *sqstest.Queue) {
		jobs.ExpectDeleted()
		dead.ExpectDeadLettered([]string{}...)
	})
	require.Len(t, said, 2)
	require.Contains(t, said[0], "deleted from jobs")
	require.Contains(t, said[1], "moved to the dead-letter queue from dead")
	for _, text := range said {
		require.Contains(t, text, "name the bodies")
	}
}

// With the texts of many messages, expectations in a loop would take forever.
func TestAnExpectationCopiesOnlyTheLivesItIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		for i := range 1000 {
			send(t, jobs, fmt.Sprint(i))
		}
		for name, ask := range map[string]func(){
			"ExpectSent":     func() { jobs.ExpectSent("500", 1) },
			"ExpectReceived": func() { jobs.ExpectReceived("500", 0) },
			"Message":        func() { jobs.Message("500") },
		} {
			require.Less(t, testing.AllocsPerRun(3, ask), 200.0, name)
		}
	})
}

func TestBodiesThatThereWere(t *testing.T) {
	said := afterAStory(t, func(_ *sqstest.Kit, jobs, dead *sqstest.Queue) {
		jobs.ExpectDeadLettered("no such")
		apart(func() { dead.Message("no such") })
		for i := range 5 {
			send(t, jobs, fmt.Sprint(i))
		}
		jobs.ExpectReceived("no such", 1)
		send(t, jobs, "one more")
		jobs.ExpectSent("no such", 1)
	})
	const story = `  there were "good", "bad", "twin", "twin", "late"`
	require.Equal(t, []string{
		"sqstest: no message \"no such\" was in jobs\n" + story,
		"sqstest: 0 messages \"no such\" were in dead, want 1\n  there were \"bad\"",
		"sqstest: \"no such\" was received from jobs 0 times, want 1\n" + story + `, "0", "1", "2", "3", "4"`,
		"sqstest: \"no such\" was sent to jobs 0 times, want 1\n" + story + `, "0", "1", "2", "3", "4" and others`,
	}, said)
}

func TestExpectEmptySaysWhatIsThere(t *testing.T) {
	said := afterAStory(t, func(_ *sqstest.Kit, jobs, dead *sqstest.Queue) {
		jobs.ExpectEmpty()
		dead.ExpectEmpty()
	})
	require.Equal(t, []string{
		"sqstest: jobs is not empty\n" + lifeOfTwinInFlight + lifeOfLate,
		"sqstest: dead is not empty\n" + lifeOfBad,
	}, said)
}

func TestALongBodyIsShortenedInTexts(t *testing.T) {
	said := afterAStory(t, func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) {
		body := strings.Repeat("é", 10_000)
		send(t, jobs, body, "two\nlines")
		jobs.ExpectSent(body, 2)
		jobs.ExpectSent("two\nlines", 2)
	})
	require.Len(t, said, 2)
	require.Contains(t, said[0], "sqstest: \"éé")
	require.Contains(t, said[0], "(20000 bytes)")
	require.Less(t, len(said[0]), 400)
	require.Contains(t, said[1], `"two\nlines" was sent to jobs once, want 2`)
}

func TestManyLivesAreShortenedInTexts(t *testing.T) {
	said := afterAStory(t, func(_ *sqstest.Kit, jobs, _ *sqstest.Queue) {
		for range 100 {
			send(t, jobs, "again")
		}
		jobs.ExpectSent("again", 1)
	})
	require.Len(t, said, 1)
	require.Contains(t, said[0], "sqstest: \"again\" was sent to jobs 100 times, want 1\n")
	require.Equal(t, 10, strings.Count(said[0], `"again"`)-1)
	require.True(t, strings.HasSuffix(said[0], "\n  and 90 others\n"), said[0])
}

func TestOrderIsThatOfFirstReceivesInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs.fifo", queue.Config{})
		sendTo(t, jobs, "a", "1", "2")
		sendTo(t, jobs, "b", "1")
		sendTo(t, jobs, "a", "3")
		receive := func() queue.Delivery {
			ds, err := jobs.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.None})
			require.NoError(t, err)
			require.Len(t, ds, 1)
			return ds[0]
		}
		jobs.ExpectOrder("a")
		d := receive()
		require.NoError(t, jobs.ChangeVisibility(t.Context(), d.Receipt, 0))
		k.Advance(time.Second)
		for range 4 { // again "1", and the others
			require.NoError(t, jobs.Delete(t.Context(), receive().Receipt))
		}
		jobs.ExpectReceived("1", 3)
		jobs.ExpectOrder("a", "1", "2", "3")
		jobs.ExpectOrder("b", "1")
	})
}

func TestADuplicateOfAFIFOQueueIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs.fifo", queue.Config{})
		sendTo(t, jobs, "g", "one", "one")
		jobs.ExpectSent("one", 1)
		require.Equal(t, uint64(1), jobs.Stats().Duplicates)
	})
}

func TestExpectationsHoldOutsideOfBubbles(t *testing.T) {
	tr := try(t, func(tr *trial) {
		k := sqstest.New(tr, sqstest.Options{})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		send(tr, jobs, "good", "bad")
		ds := poll(tr, jobs)
		require.NoError(t, jobs.Delete(tr.Context(), ds[0].Receipt))
		require.NoError(t, jobs.ChangeVisibility(tr.Context(), ds[1].Receipt, 0))
		require.Empty(t, poll(tr, jobs))
		jobs.ExpectDeleted("good")
		jobs.ExpectDeadLettered("bad")
		jobs.ExpectOrder("", "good", "bad")
		jobs.ExpectEmpty()
		require.Empty(t, tr.errors)
		dead.ExpectEmpty()
	})
	require.Len(t, tr.errors, 1)
}
