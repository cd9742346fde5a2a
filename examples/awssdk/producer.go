package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const batch = 10 // messages in a request; SQS takes no more, and is paid by the request

// An order is what the producer wants done.
type order struct {
	Shift  string // so that orders of another run are told from ours
	Number int
}

// produce sends n orders. In a batch each message succeeds or fails by itself,
// and the call succeeds all the same: what failed must be looked for.
func (s *shift) produce(ctx context.Context) error {
	for sent := 0; sent < s.n; {
		var entries []types.SendMessageBatchRequestEntry
		for number := sent; number < min(s.n, sent+batch); number++ {
			body, err := json.Marshal(order{s.name, number})
			if err != nil {
				return err
			}
			entries = append(entries, types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(number)), MessageBody: aws.String(string(body)),
			})
		}
		answer, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &s.url, Entries: entries})
		if err != nil {
			return err
		}
		if err := failures(answer.Failed); err != nil {
			return err
		}
		sent += len(entries)
	}
	return nil
}

// failures makes an error of the entries that failed, nil if there are none.
func failures(failed []types.BatchResultErrorEntry) error {
	var all error
	for _, f := range failed {
		all = errors.Join(all, fmt.Errorf("entry %s: %s: %s", aws.ToString(f.Id), aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	return all
}
