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
	invalidAttributeName   = errorType{"InvalidAttributeName", "InvalidAttributeName", http.StatusBadRequest, modelled}
	invalidAttributeValue  = errorType{"InvalidAttributeValue", "InvalidAttributeValue", http.StatusBadRequest, modelled}
	invalidMessageContents = errorType{"InvalidMessageContents", "InvalidMessageContents", http.StatusBadRequest, modelled}
	overLimit              = errorType{"OverLimit", "OverLimit", http.StatusForbidden, modelled}
	queueDoesNotExist      = errorType{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", http.StatusBadRequest, modelled}
	queueNameExists        = errorType{"QueueNameExists", "QueueAlreadyExists", http.StatusBadRequest, modelled}
	receiptHandleIsInvalid = errorType{"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", http.StatusNotFound, modelled}
	requestThrottled       = errorType{"RequestThrottled", "RequestThrottled", http.StatusForbidden, modelled}
	unsupportedOperation   = errorType{"UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", http.StatusBadRequest, modelled}

	internalFailure        = errorType{"InternalFailure", "InternalFailure", http.StatusInternalServerError, common}
	invalidParameterValue  = errorType{"InvalidParameterValueException", "InvalidParameterValue", http.StatusBadRequest, common}
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

func unsupported(message string) *failure { return &failure{unsupportedOperation, message} }

func unknownOperation(name string) *failure {
	if name == "" {
		return &failure{unknownOperationAction, "The request names no action."}
	}
	return &failure{unknownOperationAction, fmt.Sprintf("The action %s is not valid for this endpoint.", name)}
}

func requestTooLarge(limit int64) *failure {
	return &failure{requestEntityTooLarge, fmt.Sprintf("Requests cannot be longer than %d bytes.", limit)}
}
