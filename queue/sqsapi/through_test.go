package sqsapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// A silent queue does what it is asked for and doesn't say so.
type silent struct {
	queue.Queue
	calls *callLog
}

type callLog struct {
	mu    sync.Mutex
	calls []string
}

func (l *callLog) add(call string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, call)
}

// taken returns the calls so far, and forgets them.
func (l *callLog) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
}

func (s silent) answer(call string) error {
	s.calls.add(call)
	return fmt.Errorf("%s: %w", call, sqsapi.ErrNoAnswer)
}

func (s silent) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	_, err := s.Queue.Send(ctx, m)
	if err == nil {
		err = s.answer("Send " + m.Body)
	}
	return queue.Sent{}, err
}

func (s silent) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	if err := s.Queue.ChangeVisibilityBatch(ctx, cs); err != nil {
		return err
	}
	return s.answer("ChangeVisibilityBatch")
}

// Calls about messages go to what Options.Through returns, all others to the broker;
// a call that fails with ErrNoAnswer has broken the connection, in process and over
// HTTP, in both protocols.
func TestThrough(t *testing.T) {
	b := broker.New(broker.Options{})
	defer b.Close()
	q, err := b.CreateQueue(t.Context(), "jobs", nil)
	require.NoError(t, err)
	var calls callLog
	options := sqsapi.Options{Through: func(wrapped *broker.Queue) queue.Queue {
		require.Same(t, q, wrapped)
		return silent{wrapped, &calls}
	}}
	server := httptest.NewServer(sqsapi.Handler(b, options))
	defer server.Close()

	for where, do := range map[string]func(*http.Request) (*http.Response, error){
		"in process": sqsapi.ClientWith(b, options).Do, "over HTTP": server.Client().Do,
	} {
		request := func(action, body, form string) (string, error) {
			r, err := http.NewRequest("POST", server.URL, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-amz-json-1.0")
			r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
			if form != "" {
				r, err = http.NewRequest("POST", server.URL, strings.NewReader("Action="+action+"&QueueUrl=jobs&"+form))
				require.NoError(t, err)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			answer, err := do(r)
			if err != nil {
				return "", err
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			return string(text), nil
		}
		for range 2 { // the connection after it works
			_, err := request("SendMessage", `{"QueueUrl":"jobs","MessageBody":"a"}`, "")
			require.Error(t, err, where)
			if where == "in process" {
				require.ErrorIs(t, err, sqsapi.ErrNoAnswer)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}
		}
		_, err := request("SendMessage", "", "MessageBody=b")
		require.Error(t, err, where)
		text, err := request("GetQueueAttributes", `{"QueueUrl":"jobs","AttributeNames":["ApproximateNumberOfMessages"]}`, "")
		require.NoError(t, err, where)
		require.Contains(t, text, `"3"`, "all three were sent")
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
		require.NoError(t, err)
		_, err = request("ChangeMessageVisibilityBatch", fmt.Sprintf(`{"QueueUrl":"jobs","Entries":[{"Id":"1","ReceiptHandle":%q,"VisibilityTimeout":0}]}`, got[0].Receipt), "")
		require.Error(t, err, where)
		require.Equal(t, []string{"Send a", "Send a", "Send b", "ChangeVisibilityBatch"}, calls.taken(), where)
		require.NoError(t, q.Purge(t.Context()))
	}
}
