package queue_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/stretchr/testify/assert"
)

func TestMessageIDIsWrittenAsUUID(t *testing.T) {
	id := queue.MessageID{0x5f, 0xea, 0x77, 0x56, 0x0e, 0xa4, 0x45, 0x1a, 0xa7, 0x03, 0xa5, 0x58, 0xb9, 0x33, 0xe2, 0x74}
	assert.Equal(t, "5fea7756-0ea4-451a-a703-a558b933e274", id.String())
	assert.Equal(t, id.String(), fmt.Sprint(id))

	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	assert.Regexp(t, form, queue.MessageID{}.String())
	for i := range id {
		var one queue.MessageID
		one[i] = 0xff
		assert.Regexp(t, form, one.String())
		assert.NotEqual(t, queue.MessageID{}.String(), one.String(), "byte %d is in the text", i)
	}
}

func TestStatesKindsAndStepsHaveNames(t *testing.T) {
	assert.Equal(t, "pending delayed visible in flight",
		fmt.Sprint(queue.Pending, " ", queue.Delayed, " ", queue.Visible, " ", queue.InFlight))
	assert.Equal(t, "Standard FIFO", fmt.Sprint(queue.Standard, " ", queue.FIFO))
	assert.Equal(t, "Kind(invalid)", queue.Kind(0).String())

	seen := map[string]bool{}
	for step := queue.StepAccepted; step <= queue.StepMoved; step++ {
		name := step.String()
		assert.NotEmpty(t, name)
		assert.NotEqual(t, "unknown", name)
		assert.False(t, seen[name], "%q is the name of two steps", name)
		seen[name] = true
	}
	assert.Equal(t, "accepted", queue.StepAccepted.String())
	assert.Equal(t, "recovered", queue.StepRecovered.String())
	assert.Equal(t, "moved", queue.StepMoved.String())
	assert.Equal(t, "unknown", (queue.StepMoved + 1).String())
}
