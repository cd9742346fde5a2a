package sqstest_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// What a test of a user does that fails can be seen from outside only: a child process
// runs TestChild, with the case to run in this environment variable.
const childVariable = "SQSTEST_CHILD"

var children = map[string]func(t *testing.T){
	"third seed fails": func(t *testing.T) {
		o := sqstest.Options{Seed: 99, Faults: sqstest.Faults{Late: 1}}
		sqstest.Seeds(t, 5, o, func(t *testing.T, k *sqstest.Kit) {
			fmt.Println("ran", k.Seed())
			_, _ = k.Create("jobs", queue.Config{}).Send(t.Context(), queue.Message{Body: "hello"})
			if k.Seed() == 3 {
				t.Error("the third fails")
			}
		})
	},
	"any seed": func(t *testing.T) {
		sqstest.Seeds(t, 2, sqstest.Options{}, func(t *testing.T, k *sqstest.Kit) { fmt.Println("ran", k.Seed()) })
	},
	"one kit": func(t *testing.T) { fmt.Println("ran", sqstest.New(t, sqstest.Options{Seed: 5}).Seed()) },
}

func TestChild(t *testing.T) {
	name := os.Getenv(childVariable)
	if name == "" {
		t.Skip("for child processes of other tests")
	}
	children[name](t)
}

// child runs a case with RESTANTE_SEED set to seed, and returns what it printed.
func child(t *testing.T, name, seed string) (output string, ok bool) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, "-test.run", "^TestChild$", "-test.v")
	command.Env = append(os.Environ(), childVariable+"="+name, sqstest.SeedVariable+"="+seed)
	printed, err := command.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return string(printed), err == nil
}

// ran returns the lines in which the case says which seeds it ran.
func ran(output string) (seeds []string) {
	for line := range strings.Lines(output) {
		if seed, is := strings.CutPrefix(strings.TrimSpace(line), "ran "); is {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

func TestSeedsStopsAtTheFirstThatFailsAndNamesIt(t *testing.T) {
	output, ok := child(t, "third seed fails", "")
	require.False(t, ok)
	require.Equal(t, []string{"1", "2", "3"}, ran(output))
	require.Contains(t, output, "--- PASS: TestChild/seed=2")
	require.Contains(t, output, "--- FAIL: TestChild/seed=3")
	require.Contains(t, output, "RESTANTE_SEED=3")
	require.Contains(t, output, `"hello"`, "the transcript")
}

func TestGivenSeedReplaysTheFailure(t *testing.T) {
	output, ok := child(t, "third seed fails", "3")
	require.False(t, ok)
	require.Equal(t, []string{"3"}, ran(output))
	output, ok = child(t, "third seed fails", "4")
	require.True(t, ok, output)
	require.Equal(t, []string{"4"}, ran(output))
}

func TestSeedThatIsNoNumberFailsAndNamesTheVariable(t *testing.T) {
	for _, seed := range []string{"x", "-1", "1.5", " 7", "18446744073709551616"} {
		for _, name := range []string{"any seed", "one kit"} {
			output, ok := child(t, name, seed)
			require.False(t, ok, output)
			require.Contains(t, output, fmt.Sprintf("RESTANTE_SEED=%q", seed))
			require.Empty(t, ran(output))
		}
	}
}

func TestGivenSeedTakesThePlaceOfTheOption(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "12345678901234567890")
	require.Equal(t, uint64(12345678901234567890), sqstest.New(t, sqstest.Options{Seed: 5}).Seed())
	var seen []uint64
	sqstest.Seeds(t, 3, sqstest.Options{}, func(_ *testing.T, k *sqstest.Kit) { seen = append(seen, k.Seed()) })
	require.Equal(t, []uint64{12345678901234567890}, seen)
	require.Contains(t, sqstest.New(t, sqstest.Options{}).Transcript(), "RESTANTE_SEED=12345678901234567890")
}

func TestWithoutGivenSeedTheOptionHolds(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	require.Equal(t, uint64(5), sqstest.New(t, sqstest.Options{Seed: 5}).Seed())
	var seen []uint64
	sqstest.Seeds(t, 3, sqstest.Options{Seed: 7}, func(_ *testing.T, k *sqstest.Kit) { seen = append(seen, k.Seed()) })
	require.Equal(t, []uint64{1, 2, 3}, seen)
	sqstest.Seeds(t, 0, sqstest.Options{}, func(t *testing.T, _ *sqstest.Kit) { t.Error("no seed was asked for") })
}

func TestEachSeedHasABubbleOfItsOwn(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	sqstest.Seeds(t, 3, sqstest.Options{}, func(t *testing.T, k *sqstest.Kit) {
		require.Equal(t, 2000, time.Now().Year(), "time begins anew")
		require.Empty(t, k.History())
		k.Advance(24 * 366 * time.Hour)
	})
}
