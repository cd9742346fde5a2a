package broker

import (
	"strings"

	"github.com/restantemq/restante/queue"
)

// A queue's name has up to maxName letters, digits, hyphens and underscores of
// ASCII. The name of a FIFO queue ends in fifoSuffix, which counts.
const (
	maxName    = 80
	fifoSuffix = ".fifo"
)

// What is wrong with a name, in SQS's words.
const (
	emptyName    = "Queue name cannot be empty"
	badName      = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
	badFIFOName  = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
	nameArgument = "QueueName"
)

// kindOf tells by its name of which kind a queue is.
func kindOf(name string) queue.Kind {
	if strings.HasSuffix(name, fifoSuffix) {
		return queue.FIFO
	}
	return queue.Standard
}

// checkName says whether a queue of that kind may have that name.
func checkName(name string, kind queue.Kind) error {
	stem, reason := name, badName
	if kind == queue.FIFO {
		reason = badFIFOName
		var ok bool
		if stem, ok = strings.CutSuffix(name, fifoSuffix); !ok {
			stem = ""
		}
	}
	switch {
	case name == "":
		reason = emptyName
	case stem != "" && len(name) <= maxName && strings.Trim(stem, nameCharacters) == "":
		// Trim leaves nothing only if every character is allowed.
		return nil
	}
	return &queue.LimitError{Parameter: nameArgument, Reason: reason, Err: queue.ErrInvalidParameter}
}

const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
