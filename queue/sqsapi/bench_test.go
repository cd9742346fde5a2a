package sqsapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// BenchmarkLifecycle is SendMessage, ReceiveMessage and DeleteMessage in process,
// without an SDK around them.
func BenchmarkLifecycle(b *testing.B) {
	br := broker.New(broker.Options{})
	defer br.Close()
	if _, err := br.CreateQueue(b.Context(), "q", nil); err != nil {
		b.Fatal(err)
	}
	c := sqsapi.Client(br)
	call := func(action string, body []byte) []byte {
		r, err := http.NewRequestWithContext(b.Context(), "POST", "https://sqs.us-east-1.amazonaws.com/", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header["X-Amz-Target"] = []string{"AmazonSQS." + action}
		r.Header["Authorization"] = []string{"AWS4-HMAC-SHA256 Credential=AKID/20000101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"}
		answer, err := c.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			b.Fatalf("%s: %d %s %v", action, answer.StatusCode, text, err)
		}
		return text
	}
	const url = `"QueueUrl":"https://sqs.us-east-1.amazonaws.com/000000000000/q"`
	b.ReportAllocs()
	for b.Loop() {
		call("SendMessage", []byte(`{"MessageBody":"hello, world",`+url+`}`))
		var got struct {
			Messages []struct{ ReceiptHandle string }
		}
		if err := json.Unmarshal(call("ReceiveMessage", []byte(`{"WaitTimeSeconds":20,`+url+`}`)), &got); err != nil {
			b.Fatal(err)
		}
		call("DeleteMessage", []byte(`{"ReceiptHandle":"`+got.Messages[0].ReceiptHandle+`",`+url+`}`))
	}
}
