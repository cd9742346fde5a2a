package sqsapi

import (
	"fmt"
	"net/http"
)

// An errorType is one of SQS's errors, as the wire names it.
type errorType struct {
	name      string // in the JSON protocol
	code      string // in the Query protocol, and in a header of the JSON protocol
	status    int
	namespace string
}

// The service model's errors have modelled as their namespace, those that all
// services of AWS share common.
const (
	modelled = "com.amazonaws.sqs"
	common   = "com.amazon.coral.service"
)

var (
	batchTooLong           = errorType{"BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", http.StatusBadRequest, modelled}
	emptyBatch             = errorType{"EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", http.StatusBadRequest, modelled}
	idsNotDistinct         = errorType{"BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", http.StatusBadRequest, modelled}
	invalidAddress         = errorType{"InvalidAddress", "InvalidAddress", http.StatusNotFound, modelled}
	invalidAttributeName   = errorType{"InvalidAttributeName", "InvalidAttributeName", http.StatusBadRequest, modelled}
	invalidAttributeValue  = errorType{"InvalidAttributeValue", "InvalidAttributeValue", http.StatusBadRequest, modelled}
	invalidEntryID         = errorType{"InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", http.StatusBadRequest, modelled}
	invalidMessageContents = errorType{"InvalidMessageContents", "InvalidMessageContents", http.StatusBadRequest, modelled}
	overLimit              = errorType{"OverLimit", "OverLimit", http.StatusForbidden, modelled}
	purgeInProgress        = errorType{"PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", http.StatusForbidden, modelled}
	queueDeletedRecently   = errorType{"QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently", http.StatusBadRequest, modelled}
	queueDoesNotExist      = errorType{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", http.StatusBadRequest, modelled}
	queueNameExists        = errorType{"QueueNameExists", "QueueAlreadyExists", http.StatusBadRequest, modelled}
	receiptHandleIsInvalid = errorType{"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", http.StatusNotFound, modelled}
	requestThrottled       = errorType{"RequestThrottled", "RequestThrottled", http.StatusForbidden, modelled}
	resourceNotFound       = errorType{"ResourceNotFoundException", "ResourceNotFoundException", http.StatusNotFound, modelled}
	tooManyEntries         = errorType{"TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", http.StatusBadRequest, modelled}
	unsupportedOperation   = errorType{"UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", http.StatusBadRequest, modelled}

	accessDenied           = errorType{"AccessDeniedException", "AccessDenied", http.StatusForbidden, common}
	internalFailure        = errorType{"InternalFailure", "InternalFailure", http.StatusInternalServerError, common}
	invalidParameterValue  = errorType{"InvalidParameterValueException", "InvalidParameterValue", http.StatusBadRequest, common}
	malformedQueryString   = errorType{"MalformedQueryStringException", "MalformedQueryString", http.StatusNotFound, common}
	missingAction          = errorType{"MissingActionException", "MissingAction", http.StatusBadRequest, common}
	missingParameter       = errorType{"MissingRequiredParameterException", "MissingParameter", http.StatusBadRequest, common}
	requestEntityTooLarge  = errorType{"RequestEntityTooLargeException", "RequestEntityTooLarge", http.StatusRequestEntityTooLarge, common}
	serialization          = errorType{"SerializationException", "SerializationException", http.StatusBadRequest, common}
	serviceUnavailable     = errorType{"ServiceUnavailableException", "ServiceUnavailable", http.StatusServiceUnavailable, common}
	unknownOperationAction = errorType{"UnknownOperationException", "InvalidAction", http.StatusBadRequest, common}
)

// typeName returns what stands in the member __type.
func (t errorType) typeName() string { return t.namespace + "#" + t.name }

// fault tells whose fault it is. Clients repeat what the receiver is to blame
// for.
func (t errorType) fault() string {
	if t.status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// A failure is an error in SQS's words.
type failure struct {
	errorType
	message string
}

func (f *failure) Error() string { return f.name + ": " + f.message }

// Failures that arise here, of requests as such. Those of queues and brokers
// are translated; see translations.

func malformed(message string) *failure { return &failure{serialization, message} }

func missing(parameter string) *failure {
	return &failure{missingParameter, "The request must contain the parameter " + parameter + "."}
}

func invalid(message string) *failure { return &failure{invalidParameterValue, message} }

func unknownOperation(name string) *failure {
	if name == "" {
		return &failure{unknownOperationAction, "The request names no action."}
	}
	return &failure{unknownOperationAction, fmt.Sprintf("The action %s is not valid for this endpoint.", name)}
}

func requestTooLarge(limit int64) *failure {
	return &failure{requestEntityTooLarge, fmt.Sprintf("Requests cannot be longer than %d bytes.", limit)}
}
