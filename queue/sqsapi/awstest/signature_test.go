package awstest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/restantemq/restante/queue/sqsapi"
)

const accessKey, secretKey = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var known = aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}

// signedHandler serves a new broker to those who have the secret. It has the
// queue orders.
func signedHandler(t *testing.T) http.Handler {
	t.Helper()
	b := newBroker(t)
	if _, err := b.CreateQueue(t.Context(), "orders", nil); err != nil {
		t.Fatal(err)
	}
	return sqsapi.Handler(b, sqsapi.Options{Credentials: map[string]string{"AKIDFIRST": "secret", accessKey: secretKey}})
}

func TestSDKWithCredentials(t *testing.T) {
	server := httptest.NewServer(signedHandler(t))
	defer server.Close()
	for _, c := range []struct {
		name        string
		credentials aws.CredentialsProvider
		code        string
	}{
		{"known", credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""), ""},
		{"known, with a session", credentials.NewStaticCredentialsProvider(accessKey, secretKey, "token"), ""},
		{"another's secret", credentials.NewStaticCredentialsProvider(accessKey, "secret", ""), "SignatureDoesNotMatch"},
		{"unknown key", credentials.NewStaticCredentialsProvider("AKIDOTHER", secretKey, ""), "InvalidClientTokenId"},
		{"anonymous", aws.AnonymousCredentials{}, "MissingAuthenticationToken"},
	} {
		client := sqs.New(sqs.Options{Region: "us-east-1", Credentials: c.credentials, BaseEndpoint: &server.URL})
		url, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
		if c.code != "" {
			var e smithy.APIError
			if !errors.As(err, &e) || e.ErrorCode() != c.code {
				t.Errorf("%s: %v, want %s", c.name, err, c.code)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		send(t, client, &sqs.SendMessageInput{QueueUrl: url.QueueUrl, MessageBody: aws.String("héllo <&> \"wörld\" 😀\r\n")})
		if got := receive(t, client, &sqs.ReceiveMessageInput{QueueUrl: url.QueueUrl}); len(got) != 1 {
			t.Errorf("%s: received %d messages", c.name, len(got))
		}
	}
}

// What the SDK's signer may be given to sign, beside what the SDK sends.
var signedRequests = []struct {
	name, method, target, contentType, action, body string
}{
	{name: "Query in the URL", method: "GET", target: "/?Action=ListQueues&Version=2012-11-05"},
	{name: "Query in a form", method: "POST", target: "/", contentType: "application/x-www-form-urlencoded; charset=utf-8",
		body: "Action=ListQueues&Version=2012-11-05"},
	{name: "at a queue", method: "POST", target: "/000000000000/orders", contentType: "application/x-www-form-urlencoded",
		body: "Action=SendMessage&MessageBody=a+b%26c&Version=2012-11-05"},
	{name: "message in the URL", method: "GET", target: "/000000000000/orders?Version=2012-11-05&MessageBody=a+b%20c%2Bd%2f~*'(é)" +
		"&Action=SendMessage&MessageAttribute.1.Name=x&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=1"},
	{name: "equal names in the URL", method: "GET", target: "/?b=2&a=z&a=10&a=1&a=/&a=-&Action=ListQueues&Version=2012-11-05"},
	{name: "queue with an escape in its path", method: "GET", target: "/000000000000/order%73?Action=GetQueueAttributes&Version=2012-11-05"},
}

// request returns the i-th of signedRequests, and the hash of its body.
func request(t *testing.T, base string, i int) (r *http.Request, hash string) {
	t.Helper()
	c := signedRequests[i]
	r, err := http.NewRequestWithContext(t.Context(), c.method, base+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	r.Header.Set("Some-Header", "  with   spaces ")
	sum := sha256.Sum256([]byte(c.body))
	return r, hex.EncodeToString(sum[:])
}

// expectAnswer sends r and expects success, or the code of an error.
func expectAnswer(t *testing.T, name string, r *http.Request, code string) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if code == "" && response.StatusCode != http.StatusOK || code != "" && !strings.Contains(string(body), "<Code>"+code+"</Code>") {
		t.Errorf("%s: %s, want %q\n%s", name, response.Status, code, body)
	}
}

func TestSignerInTheHeader(t *testing.T) {
	server := httptest.NewServer(signedHandler(t))
	defer server.Close()
	for i, c := range signedRequests {
		for code, credentials := range map[string]aws.Credentials{
			"":                      known,
			"SignatureDoesNotMatch": {AccessKeyID: accessKey, SecretAccessKey: "secret"},
			"InvalidClientTokenId":  {AccessKeyID: "AKIDOTHER", SecretAccessKey: secretKey},
		} {
			r, hash := request(t, server.URL, i)
			if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hash, "sqs", "us-east-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			expectAnswer(t, c.name, r, code)
		}
		r, _ := request(t, server.URL, i)
		expectAnswer(t, c.name+", not signed", r, "MissingAuthenticationToken")
	}
}

func TestSignerInTheURL(t *testing.T) {
	server := httptest.NewServer(signedHandler(t))
	defer server.Close()
	presigned := func(i int, credentials aws.Credentials, at time.Time) *http.Request {
		r, hash := request(t, server.URL, i)
		query := r.URL.Query()
		query.Set("X-Amz-Expires", "1200")
		r.URL.RawQuery = query.Encode()
		// Without its length, because a sender may not know it.
		length := r.ContentLength
		r.ContentLength = 0
		signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, hash, "sqs", "us-east-1", at)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = url.Parse(signed); err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		return r
	}
	now := time.Now()
	for i, c := range signedRequests {
		expectAnswer(t, c.name, presigned(i, known, now), "")
		expectAnswer(t, c.name+", with a session", presigned(i, aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: "a/b+c="}, now), "")
		expectAnswer(t, c.name+", 19 minutes later", presigned(i, known, now.Add(-19*time.Minute)), "")
		expectAnswer(t, c.name+", 21 minutes later", presigned(i, known, now.Add(-21*time.Minute)), "RequestExpired")
		expectAnswer(t, c.name+", 16 minutes early", presigned(i, known, now.Add(16*time.Minute)), "RequestExpired")
		expectAnswer(t, c.name+", another's secret", presigned(i, aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: "secret"}, now), "SignatureDoesNotMatch")
		expectAnswer(t, c.name+", unknown key", presigned(i, aws.Credentials{AccessKeyID: "AKIDOTHER", SecretAccessKey: secretKey}, now), "InvalidClientTokenId")
		changed := presigned(i, known, now)
		changed.URL.RawQuery = "NextToken=a&" + changed.URL.RawQuery
		expectAnswer(t, c.name+", with another parameter", changed, "SignatureDoesNotMatch")
	}
}

// Signatures expire by the time of the bubble.
func TestSignatureExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := signedHandler(t)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://sqs.test/?Action=ListQueues&Version=2012-11-05", nil)
		sum := sha256.Sum256(nil)
		if err := v4.NewSigner().SignHTTP(t.Context(), known, r, hex.EncodeToString(sum[:]), "sqs", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after  time.Duration
			status int
		}{
			{0, http.StatusOK},
			{15 * time.Minute, http.StatusOK},
			{time.Nanosecond, http.StatusBadRequest},
			{12 * time.Hour, http.StatusBadRequest},
		} {
			time.Sleep(c.after)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%v later: %d, want %d\n%s", c.after, w.Code, c.status, w.Body)
			}
		}
	})
}
