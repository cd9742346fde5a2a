package sqsapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Failures of requests that are signed badly, or not at all.
var (
	incompleteSignature        = errorType{"IncompleteSignature", "IncompleteSignature", http.StatusBadRequest, common}
	invalidClientTokenID       = errorType{"InvalidClientTokenId", "InvalidClientTokenId", http.StatusForbidden, common}
	missingAuthenticationToken = errorType{"MissingAuthenticationToken", "MissingAuthenticationToken", http.StatusForbidden, common}
	requestExpired             = errorType{"RequestExpired", "RequestExpired", http.StatusBadRequest, common}
	signatureDoesNotMatch      = errorType{"SignatureDoesNotMatch", "SignatureDoesNotMatch", http.StatusForbidden, common}
)

func incomplete(format string, a ...any) *failure {
	return &failure{incompleteSignature, fmt.Sprintf(format, a...)}
}

// What Signature Version 4 calls things.
const (
	signingAlgorithm  = "AWS4-HMAC-SHA256"
	signingTerminator = "aws4_request"
	signingService    = "sqs"
	signingTime       = "20060102T150405Z" // of X-Amz-Date
	signingDate       = "20060102"         // of the credential scope
)

// maxExpires is how long a presigned request may be valid.
const maxExpires = 7 * 24 * time.Hour

// A signature is what a request says about how it was signed, with Signature
// Version 4. It is a claim; see verifier.
type signature struct {
	accessKey string
	date      string // the day of time
	region    string
	service   string
	headers   []string      // names of the signed headers, in lower case, sorted; host is among them
	mac       string        // 64 hexadecimal digits, in lower case
	time      time.Time     // when it was made, to the second
	presigned bool          // it stands in the query, not in a header
	expires   time.Duration // how long a presigned one is valid, from time on
}

// parseSignature reads the signature of r. It takes nothing that a signer
// doesn't write, and nothing twice, so that there is one way to understand it.
func parseSignature(r *http.Request) (*signature, *failure) {
	var query fields
	if f := query.readQuery(r.URL.RawQuery); f != nil {
		return nil, f
	}
	presigned := query.algorithm != "" || query.credential != "" || query.mac != ""
	authorization := r.Header["Authorization"]
	var s *signature
	var f *failure
	switch {
	case presigned && len(authorization) > 0:
		return nil, incomplete("The request must be signed in the Authorization header or in the query, not in both.")
	case presigned:
		s, f = query.presigned()
	case len(authorization) == 0 || authorization[0] == "":
		return nil, &failure{missingAuthenticationToken, "The request must be signed with Signature Version 4."}
	case len(authorization) > 1 || len(r.Header["X-Amz-Date"]) > 1:
		return nil, incomplete("The headers Authorization and X-Amz-Date must not be repeated.")
	default:
		header := fields{date: r.Header.Get("X-Amz-Date")}
		if f := header.readHeader(authorization[0]); f != nil {
			return nil, f
		}
		s, f = header.signature()
	}
	if f != nil {
		return nil, f
	}
	// It says what is to be done: whoever sees a request must not be able to
	// make another action of it.
	if len(r.Header["X-Amz-Target"]) > 0 && !slices.Contains(s.headers, "x-amz-target") {
		return nil, incomplete("'X-Amz-Target' must be among the signed headers.")
	}
	return s, nil
}

// fields are the parts of a signature as text; "" are those that are missing.
type fields struct {
	algorithm, credential, date, expires, headers, mac string
}

// readHeader reads the value of an Authorization header.
func (f *fields) readHeader(authorization string) *failure {
	var rest string
	f.algorithm, rest, _ = strings.Cut(authorization, " ")
	if f.algorithm != signingAlgorithm {
		return incomplete("The Authorization header must begin with %s.", signingAlgorithm)
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		var field *string
		switch name {
		case "Credential":
			field = &f.credential
		case "SignedHeaders":
			field = &f.headers
		case "Signature":
			field = &f.mac
		default:
			return incomplete("The Authorization header must consist of Credential, SignedHeaders and Signature; it has %q.", part)
		}
		if !fill(field, value) {
			return incomplete("The Authorization header must have one '%s', and not an empty one.", name)
		}
	}
	return nil
}

// readQuery reads the X-Amz parameters of a query.
func (f *fields) readQuery(query string) *failure {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, ok := queryParameter(pair)
		if !ok {
			return incomplete("The query is not properly encoded at %q.", pair)
		}
		var field *string
		switch name {
		case "X-Amz-Algorithm":
			field = &f.algorithm
		case "X-Amz-Credential":
			field = &f.credential
		case "X-Amz-Date":
			field = &f.date
		case "X-Amz-Expires":
			field = &f.expires
		case "X-Amz-SignedHeaders":
			field = &f.headers
		case "X-Amz-Signature":
			field = &f.mac
		default:
			continue
		}
		if !fill(field, value) {
			return incomplete("The query must have one '%s', and not an empty one.", name)
		}
	}
	return nil
}

// fill sets a field for the first time, to something.
func fill(field *string, value string) bool {
	if *field != "" || value == "" {
		return false
	}
	*field = value
	return true
}

// queryParameter decodes one parameter of a query.
func queryParameter(pair string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return "", "", false
	}
	value, err = url.QueryUnescape(value)
	return name, value, err == nil
}

// presigned returns the signature of a presigned request.
func (f *fields) presigned() (*signature, *failure) {
	s, err := f.signature()
	if err != nil {
		return nil, err
	}
	seconds, _ := strconv.Atoi(f.expires) // 0 is refused as well
	s.presigned, s.expires = true, time.Duration(seconds)*time.Second
	if s.expires <= 0 || s.expires > maxExpires || strconv.Itoa(seconds) != f.expires {
		return nil, incomplete("X-Amz-Expires must be a number of seconds from 1 to %d, got %q.", maxExpires/time.Second, f.expires)
	}
	return s, nil
}

// signature returns what the fields say, except expires.
func (f *fields) signature() (*signature, *failure) {
	if f.algorithm != signingAlgorithm {
		return nil, incomplete("The algorithm must be %s, got %q.", signingAlgorithm, f.algorithm)
	}
	s := &signature{mac: f.mac}
	var err error
	if s.time, err = time.Parse(signingTime, f.date); err != nil || len(f.date) != len(signingTime) {
		return nil, incomplete("X-Amz-Date must be a time such as 20060102T150405Z, got %q.", f.date)
	}

	credential := strings.Split(f.credential, "/")
	if len(credential) != 5 {
		return nil, incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got %q.", f.credential)
	}
	s.accessKey, s.date, s.region, s.service = credential[0], credential[1], credential[2], credential[3]
	switch {
	case !isAccessKey(s.accessKey):
		return nil, incomplete("Credential must begin with an access key ID, got %q.", s.accessKey)
	case s.date != f.date[:len(signingDate)]:
		return nil, incomplete("Date in Credential scope does not match YYYYMMDD from X-Amz-Date, got %q and %q.", s.date, f.date)
	case !isRegion(s.region):
		return nil, incomplete("Credential should be scoped to a valid region, got %q.", s.region)
	case s.service != signingService:
		return nil, incomplete("Credential should be scoped to correct service: '%s', got %q.", signingService, s.service)
	case credential[4] != signingTerminator:
		return nil, incomplete("Credential should be scoped with a valid terminator: '%s', got %q.", signingTerminator, credential[4])
	}

	s.headers = strings.Split(f.headers, ";")
	for i, name := range s.headers {
		if !isHeaderName(name) || i > 0 && name <= s.headers[i-1] {
			return nil, incomplete("SignedHeaders must be names in lower case, sorted, each one once, with ';' in between, got %q.", f.headers)
		}
	}
	if !slices.Contains(s.headers, "host") {
		return nil, incomplete("'Host' must be among the signed headers.")
	}
	if len(s.mac) != 64 || strings.Trim(s.mac, "0123456789abcdef") != "" {
		return nil, incomplete("Signature must be 64 hexadecimal digits, got %q.", s.mac)
	}
	return s, nil
}

// Access key IDs of AWS have up to 128 letters and digits; elsewhere they may
// have other characters that stand for themselves.
func isAccessKey(s string) bool {
	return s != "" && len(s) <= 128 && consistsOf(s, func(c byte) bool { return c > ' ' && c < 0x7f && c != '/' && c != ',' })
}

func isRegion(s string) bool {
	return s != "" && len(s) <= 64 && consistsOf(s, func(c byte) bool { return isUnreserved(c) && c != '~' && c != '.' })
}

func isHeaderName(s string) bool {
	return s != "" && consistsOf(s, func(c byte) bool { return isUnreserved(c) && c != '~' && (c < 'A' || c > 'Z') })
}

func consistsOf(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// isUnreserved reports whether c never needs an escape in a URL (RFC 3986).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// claimed tells whom r claims to come from, and for which region: the access
// key ID and the region of its signature, whether or not there is any truth in
// them. What isn't there, or can't be understood, is "". Of a request that
// verifier.verify accepts, it tells what was verified.
func claimed(r *http.Request) (accessKey, region string) {
	accessKey, scope, _ := strings.Cut(claimedCredential(r), "/")
	if !isAccessKey(accessKey) {
		return "", ""
	}
	_, scope, _ = strings.Cut(scope, "/") // the date
	region, rest, _ := strings.Cut(scope, "/")
	// A scope without a region, as in Version 4A, is one element shorter.
	if !isRegion(region) || !strings.Contains(rest, "/") {
		return accessKey, ""
	}
	return accessKey, region
}

func claimedCredential(r *http.Request) string {
	if authorization := r.Header.Get("Authorization"); strings.HasPrefix(authorization, "AWS4-") {
		if _, credential, ok := strings.Cut(authorization, "Credential="); ok {
			credential, _, _ = strings.Cut(credential, ",")
			return strings.Trim(credential, " ")
		}
	}
	if r.URL.RawQuery != "" {
		for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if name, err := url.QueryUnescape(name); err != nil || name != "X-Amz-Credential" {
				continue // other values may be long
			}
			value, _ = url.QueryUnescape(value)
			return value
		}
	}
	return ""
}
