package payload

import (
	"fmt"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
)

// checkContents refuses a body that the queue would refuse if it saw it: whether
// a text is valid must not depend on its length, and receivers in other
// languages take it for UTF-8.
func checkContents(body string) error {
	if !utf8.ValidString(body) {
		return &queue.LimitError{Parameter: "MessageBody", Reason: "it is not UTF-8", Err: queue.ErrInvalidContents}
	}
	for i, r := range body {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return &queue.LimitError{
				Parameter: "MessageBody", Reason: fmt.Sprintf("character %U at byte %d is not allowed", r, i),
				Err: queue.ErrInvalidContents,
			}
		}
	}
	return nil
}
