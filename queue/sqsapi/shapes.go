package sqsapi

// The shapes of all requests and answers, once for both protocols. A field is a
// member of the name in its json tag, or of its own name. In the Query protocol
// lists and maps are flattened, and query is what their elements are called; a map's
// elements have a Name and a Value, or where key says so a Key and a Value. A
// member with need must be there and not be empty. Fields that must tell zero from
// absence are pointers. Members of answers that may be absent have omitempty.

// nothing is the output of an action that has none.
type nothing struct{}

// The actions on messages.

type sendMessageInput struct {
	QueueUrl string `need:"yes"`
	outgoing
}

// outgoing are the members of a message to be sent.
type outgoing struct {
	MessageBody             content
	DelaySeconds            *int
	MessageAttributes       map[string]attributeInput `query:"MessageAttribute"`
	MessageSystemAttributes map[string]attributeInput `query:"MessageSystemAttribute"`
	MessageGroupId          *string
	MessageDeduplicationId  *string
}

// attributeInput is the value of a message attribute in a request.
type attributeInput struct {
	DataType         string
	StringValue      *content
	BinaryValue      *[]byte
	StringListValues []string `query:"StringListValue"`
	BinaryListValues [][]byte `query:"BinaryListValue"`
}

type sendMessageOutput struct {
	MessageId string
	digests
	SequenceNumber string `json:",omitempty"`
}

// digests are what a sender's SDK compares with what it sent.
type digests struct {
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
}

type receiveMessageInput struct {
	QueueUrl                    string   `need:"yes"`
	AttributeNames              []string `query:"AttributeName"`
	MessageSystemAttributeNames []string `query:"MessageSystemAttributeName"`
	MessageAttributeNames       []string `query:"MessageAttributeName"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     string
}

type receiveMessageOutput struct {
	Messages []receivedMessage `json:",omitempty" query:"Message"`
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string          `json:",omitempty" query:"Attribute"`
	MD5OfMessageAttributes string                     `json:",omitempty"`
	MessageAttributes      map[string]attributeOutput `json:",omitempty" query:"MessageAttribute"`
}

// attributeOutput is the value of a message attribute in an answer.
type attributeOutput struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

type deleteMessageInput struct {
	QueueUrl string `need:"yes"`
	handleInput
}

type handleInput struct {
	ReceiptHandle string
}

type changeVisibilityInput struct {
	QueueUrl string `need:"yes"`
	handleInput
	VisibilityTimeout *int `need:"yes"`
}

// The batches of actions on messages.

type sendBatchInput struct {
	QueueUrl string      `need:"yes"`
	Entries  []sendEntry `query:"SendMessageBatchRequestEntry"`
}

type sendEntry struct {
	Id string
	outgoing
}

type sendBatchOutput struct {
	Successful []sentEntry   `json:",omitempty" query:"SendMessageBatchResultEntry"`
	Failed     []failedEntry `json:",omitempty" query:"BatchResultErrorEntry"`
}

type sentEntry struct {
	Id string
	sendMessageOutput
}

type deleteBatchInput struct {
	QueueUrl string        `need:"yes"`
	Entries  []deleteEntry `query:"DeleteMessageBatchRequestEntry"`
}

type deleteEntry struct {
	Id string
	handleInput
}

type deleteBatchOutput struct {
	Successful []doneEntry   `json:",omitempty" query:"DeleteMessageBatchResultEntry"`
	Failed     []failedEntry `json:",omitempty" query:"BatchResultErrorEntry"`
}

type changeBatchInput struct {
	QueueUrl string        `need:"yes"`
	Entries  []changeEntry `query:"ChangeMessageVisibilityBatchRequestEntry"`
}

type changeEntry struct {
	Id string
	handleInput
	VisibilityTimeout *int
}

type changeBatchOutput struct {
	Successful []doneEntry   `json:",omitempty" query:"ChangeMessageVisibilityBatchResultEntry"`
	Failed     []failedEntry `json:",omitempty" query:"BatchResultErrorEntry"`
}

type doneEntry struct{ Id string }

type failedEntry struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

// The actions on queues.

type createQueueInput struct {
	QueueName  *string
	Attributes map[string]scalarText `query:"Attribute"`
	Tags       map[string]string     `json:"tags" query:"Tag" key:"Key"`
}

type queueURLOutput struct{ QueueUrl string }

type getQueueURLInput struct {
	QueueName              string `need:"yes"`
	QueueOwnerAWSAccountId string
}

type queueInput struct {
	QueueUrl string `need:"yes"`
}

type listQueuesInput struct {
	QueueNamePrefix string
	pageInput
}

type pageInput struct {
	MaxResults *int
	NextToken  string
}

type listQueuesOutput struct {
	QueueUrls []string `json:",omitempty" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

type listSourcesInput struct {
	QueueUrl string `need:"yes"`
	pageInput
}

type listSourcesOutput struct {
	QueueUrls []string `json:"queueUrls" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

type getAttributesInput struct {
	QueueUrl       string   `need:"yes"`
	AttributeNames []string `query:"AttributeName"`
}

type getAttributesOutput struct {
	Attributes map[string]string `json:",omitempty" query:"Attribute"`
}

type setAttributesInput struct {
	QueueUrl   string                `need:"yes"`
	Attributes map[string]scalarText `query:"Attribute"`
}

type tagQueueInput struct {
	QueueUrl string            `need:"yes"`
	Tags     map[string]string `query:"Tag" key:"Key"`
}

type untagQueueInput struct {
	QueueUrl string   `need:"yes"`
	TagKeys  []string `query:"TagKey"`
}

type listTagsOutput struct {
	Tags map[string]string `json:",omitempty" query:"Tag" key:"Key"`
}

type addPermissionInput struct {
	QueueUrl      string   `need:"yes"`
	Label         string   `need:"yes"`
	AWSAccountIds []string `query:"AWSAccountId"`
	Actions       []string `query:"ActionName"`
}

type removePermissionInput struct {
	QueueUrl string `need:"yes"`
	Label    string `need:"yes"`
}

// The actions on move tasks.

type startMoveInput struct {
	SourceArn                    string `need:"yes"`
	DestinationArn               string
	MaxNumberOfMessagesPerSecond *int
}

type startMoveOutput struct{ TaskHandle string }

type cancelMoveInput struct {
	TaskHandle string `need:"yes"`
}

type cancelMoveOutput struct{ ApproximateNumberOfMessagesMoved int }

type listMovesInput struct {
	SourceArn  string `need:"yes"`
	MaxResults *int
}

type listMovesOutput struct {
	Results []moveResult `json:",omitempty" query:"ListMessageMoveTasksResultEntry"`
}

type moveResult struct {
	TaskHandle                        string `json:",omitempty"`
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // ms
}
