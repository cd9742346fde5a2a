package sqsapi

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	exampleCredential = "AKIDEXAMPLE/20150830/eu-west-1/sqs/aws4_request"
	exampleTime       = "20150830T123600Z"
	exampleMAC        = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	exampleHeader     = "AWS4-HMAC-SHA256 Credential=" + exampleCredential + ", SignedHeaders=content-type;host;x-amz-date, Signature=" + exampleMAC
)

var exampleQuery = url.Values{
	"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
	"X-Amz-Credential":    {exampleCredential},
	"X-Amz-Date":          {exampleTime},
	"X-Amz-Expires":       {"3600"},
	"X-Amz-SignedHeaders": {"host"},
	"X-Amz-Signature":     {exampleMAC},
}

// withHeader returns a request with an Authorization header, or several.
func withHeader(authorization ...string) *http.Request {
	return &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, Host: "localhost", Header: http.Header{
		"Authorization": authorization,
		"X-Amz-Date":    {exampleTime},
	}}
}

// withQuery returns a request with a query.
func withQuery(query string) *http.Request {
	return &http.Request{Method: "POST", URL: &url.URL{Path: "/", RawQuery: query}, Host: "localhost", Header: http.Header{}}
}

func TestParseSignatureInTheHeader(t *testing.T) {
	want := &signature{
		accessKey: "AKIDEXAMPLE",
		date:      "20150830",
		region:    "eu-west-1",
		service:   "sqs",
		headers:   []string{"content-type", "host", "x-amz-date"},
		mac:       exampleMAC,
		time:      time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC),
	}
	for _, authorization := range []string{
		exampleHeader,
		strings.ReplaceAll(exampleHeader, ", ", ","),
		strings.ReplaceAll(exampleHeader, ", ", " ,  "),
		"AWS4-HMAC-SHA256 Signature=" + exampleMAC + ", Credential=" + exampleCredential + ", SignedHeaders=content-type;host;x-amz-date",
	} {
		r := withHeader(authorization)
		got, f := parseSignature(r)
		if f != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n%+v, %v; want %+v", authorization, got, f, want)
		}
		if key, region := claimed(r); key != "AKIDEXAMPLE" || region != "eu-west-1" {
			t.Errorf("%s\nclaimed %q in %q", authorization, key, region)
		}
	}
}

func TestParseSignatureInTheQuery(t *testing.T) {
	want := &signature{
		accessKey: "AKIDEXAMPLE",
		date:      "20150830",
		region:    "eu-west-1",
		service:   "sqs",
		headers:   []string{"host"},
		mac:       exampleMAC,
		time:      time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC),
		presigned: true,
		expires:   time.Hour,
	}
	for _, query := range []string{
		exampleQuery.Encode(),
		"Action=ListQueues&" + exampleQuery.Encode() + "&Version=2012-11-05",
		strings.ReplaceAll(exampleQuery.Encode(), "%2F", "/"),
		strings.ReplaceAll(exampleQuery.Encode(), "X-Amz-", "%58-Amz%2D"),
	} {
		r := withQuery(query)
		got, f := parseSignature(r)
		if f != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n%+v, %v; want %+v", query, got, f, want)
		}
		if key, region := claimed(r); key != "AKIDEXAMPLE" || region != "eu-west-1" {
			t.Errorf("%s\nclaimed %q in %q", query, key, region)
		}
	}
}

func TestRequestsWithoutSignature(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"nothing":      withQuery(""),
		"no headers":   {URL: &url.URL{}},
		"other query":  withQuery("Action=ListQueues&X-Amz-Date=20150830T123600Z"),
		"empty header": withHeader(""),
	} {
		if s, f := parseSignature(r); f == nil || f.errorType != missingAuthenticationToken {
			t.Errorf("%s: %+v, %v; want MissingAuthenticationToken", name, s, f)
		}
	}
}

func TestMalformedSignatures(t *testing.T) {
	replaced := func(old, new string) *http.Request {
		if !strings.Contains(exampleHeader, old) {
			t.Fatalf("%q is not in the header", old)
		}
		return withHeader(strings.Replace(exampleHeader, old, new, 1))
	}
	dated := func(dates ...string) *http.Request {
		r := withHeader(exampleHeader)
		r.Header["X-Amz-Date"] = dates
		return r
	}
	target := withHeader(exampleHeader)
	target.Header.Set("X-Amz-Target", "AmazonSQS.ListQueues")
	requests := map[string]*http.Request{
		"no part":                         withHeader("AWS4-HMAC-SHA256"),
		"only a space":                    withHeader("AWS4-HMAC-SHA256 "),
		"another scheme":                  withHeader("Bearer abc"),
		"Signature Version 2":             withHeader("AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="),
		"Signature Version 4A":            replaced("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
		"the algorithm in lower case":     replaced("AWS4-HMAC-SHA256", "aws4-hmac-sha256"),
		"two headers":                     withHeader(exampleHeader, exampleHeader),
		"no credential":                   replaced("Credential="+exampleCredential+", ", ""),
		"no signed headers":               replaced("SignedHeaders=content-type;host;x-amz-date, ", ""),
		"no signature":                    replaced(", Signature="+exampleMAC, ""),
		"an empty credential":             replaced("Credential="+exampleCredential, "Credential="),
		"a second credential":             replaced("Credential=", "Credential="+exampleCredential+", Credential="),
		"an empty one before":             replaced("Credential=", "Credential=, Credential="),
		"a second signature":              withHeader(exampleHeader + ", Signature=" + exampleMAC),
		"an unknown part":                 withHeader(exampleHeader + ", Comment=no"),
		"a comma too many":                withHeader(exampleHeader + ","),
		"a part without value":            replaced("Signature="+exampleMAC, "Signature"),
		"a part in lower case":            replaced("Credential=", "credential="),
		"a space in a part":               replaced("Signature=", "Signature ="),
		"no access key":                   replaced("AKIDEXAMPLE/", "/"),
		"four elements":                   replaced("AKIDEXAMPLE/", ""),
		"six elements":                    replaced("AKIDEXAMPLE/", "AKID/EXAMPLE/"),
		"an access key with a space":      replaced("AKIDEXAMPLE", "AKID EXAMPLE"),
		"an access key too long":          replaced("AKIDEXAMPLE", strings.Repeat("A", 129)),
		"an access key that isn't ASCII":  replaced("AKIDEXAMPLE", "AKIDÉXAMPLE"),
		"the scope of another day":        replaced("/20150830/", "/20150831/"),
		"a date too short":                replaced("/20150830/", "/2015083/"),
		"a date too long":                 replaced("/20150830/", "/20150830T/"),
		"no date":                         replaced("/20150830/", "//"),
		"no region":                       replaced("/eu-west-1/", "//"),
		"a region with a dot":             replaced("/eu-west-1/", "/eu.west.1/"),
		"a region too long":               replaced("/eu-west-1/", "/"+strings.Repeat("a", 65)+"/"),
		"another service":                 replaced("/sqs/", "/sns/"),
		"the service in upper case":       replaced("/sqs/", "/SQS/"),
		"another terminator":              replaced("/aws4_request", "/aws4"),
		"host not signed":                 replaced("content-type;host;x-amz-date", "content-type;x-amz-date"),
		"another host signed":             replaced(";host;", ";hosts;"),
		"headers not sorted":              replaced("content-type;host", "host;content-type"),
		"a header twice":                  replaced(";host;", ";host;host;"),
		"headers in upper case":           replaced(";host;", ";Host;"),
		"no name between":                 replaced(";host;", ";;host;"),
		"a semicolon at the end":          replaced("x-amz-date,", "x-amz-date;,"),
		"a space between headers":         replaced(";host", "; host"),
		"a header with a colon":           replaced("content-type;", ":authority;content-type;"),
		"a signature too short":           replaced(exampleMAC, exampleMAC[1:]),
		"a signature too long":            replaced(exampleMAC, exampleMAC+"0"),
		"a signature in upper case":       replaced("Signature=5f", "Signature=5F"),
		"a signature that isn't hex":      replaced("Signature=5f", "Signature=5g"),
		"no time":                         dated(),
		"an empty time":                   dated(""),
		"two times":                       dated(exampleTime, exampleTime),
		"a time in another form":          dated("2015-08-30T12:36:00Z"),
		"a time of HTTP":                  dated("Sun, 30 Aug 2015 12:36:00 GMT"),
		"a time with a fraction":          dated("20150830T123600.5Z"),
		"a time in another zone":          dated("20150830T123600+0000"),
		"a time that doesn't exist":       dated("20150230T123600Z"),
		"a time of another day":           dated("20150831T123600Z"),
		"a target that isn't signed":      target,
		"a query that can't be decoded":   {URL: &url.URL{RawQuery: "a=%"}, Header: withHeader(exampleHeader).Header},
		"a name that can't be decoded":    {URL: &url.URL{RawQuery: "%=a"}, Header: withHeader(exampleHeader).Header},
		"a second signature in the query": {URL: &url.URL{RawQuery: exampleQuery.Encode()}, Header: withHeader(exampleHeader).Header},
		"only an algorithm":               withQuery("X-Amz-Algorithm=AWS4-HMAC-SHA256"),
		"only a credential":               withQuery("X-Amz-Credential=" + exampleCredential),
		"only a signature":                withQuery("X-Amz-Signature=" + exampleMAC),
		"half of one in the query":        {URL: &url.URL{RawQuery: "X-Amz-Credential=a"}, Header: withHeader(exampleHeader).Header},
		"presigned, and a header":         {URL: &url.URL{RawQuery: exampleQuery.Encode()}, Header: withHeader("Bearer abc").Header},
	}
	for name, values := range map[string][]string{
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA1", "AWS4-ECDSA-P256-SHA256"},
		"X-Amz-Credential":    {"AKIDEXAMPLE", exampleCredential + "/", "/" + exampleCredential, strings.Replace(exampleCredential, "sqs", "s3", 1)},
		"X-Amz-Date":          {"20150830", "20150831T123600Z", "20150830T12360Z"},
		"X-Amz-Expires":       {"0", "-1", "604801", "1h", "+5", "05", "1.5", "99999999999999999999", "18446744073709551616"},
		"X-Amz-SignedHeaders": {"x-amz-date", "host;", "Host", "host;content-type"},
		"X-Amz-Signature":     {exampleMAC[2:], exampleMAC + "00", strings.Repeat("x", 64)},
	} {
		for _, value := range append(values, "") {
			query := maps.Clone(exampleQuery)
			query[name] = []string{value}
			requests["presigned with "+name+"="+value] = withQuery(query.Encode())
		}
		query := maps.Clone(exampleQuery)
		delete(query, name)
		requests["presigned without "+name] = withQuery(query.Encode())
		requests["presigned with two "+name] = withQuery(exampleQuery.Encode() + "&" + name + "=" + exampleQuery.Get(name))
		requests["presigned with two "+name+", one disguised"] = withQuery(exampleQuery.Encode() + "&%58" + name[1:] + "=" + exampleQuery.Get(name))
	}
	for name, r := range requests {
		if s, f := parseSignature(r); f == nil || f.errorType != incompleteSignature {
			t.Errorf("%s: %+v, %v; want IncompleteSignature", name, s, f)
		}
	}
}

func TestClaimed(t *testing.T) {
	for _, c := range []struct {
		name        string
		r           *http.Request
		key, region string
	}{
		{"nothing", withQuery(""), "", ""},
		{"no headers", &http.Request{URL: &url.URL{}}, "", ""},
		{"an empty header", withHeader(""), "", ""},
		{"Signature Version 2", withHeader("AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="), "", ""},
		{"another scheme", withHeader("Bearer Credential=a/b/c/d/e"), "", ""},
		{"no credential", withHeader("AWS4-HMAC-SHA256 Signature=a/b/c/d/e"), "", ""},
		{"an empty credential", withHeader("AWS4-HMAC-SHA256 Credential=, Signature="), "", ""},
		{"a credential and no more", withHeader("AWS4-HMAC-SHA256 Credential=test/20150830/us-west-2/sqs/aws4_request"), "test", "us-west-2"},
		{"an account", withHeader("AWS4-HMAC-SHA256 Credential=123456789012/20150830/us-west-2/sqs/aws4_request, Sig"), "123456789012", "us-west-2"},
		{"another service and day", withHeader("AWS4-HMAC-SHA256 Credential=a/b/c/d/e"), "a", "c"},
		{"only a key", withHeader("AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host"), "test", ""},
		{"a key and a date", withHeader("AWS4-HMAC-SHA256 Credential=test/20150830"), "test", ""},
		{"Signature Version 4A", withHeader("AWS4-ECDSA-P256-SHA256 Credential=test/20150830/sqs/aws4_request, SignedHeaders=host"), "test", ""},
		{"a region with a space", withHeader("AWS4-HMAC-SHA256 Credential=test/20150830/us west/sqs/aws4_request"), "test", ""},
		{"a region that is too long", withHeader("AWS4-HMAC-SHA256 Credential=test/20150830/" + strings.Repeat("a", 65) + "/sqs/aws4_request"), "test", ""},
		{"no region", withHeader("AWS4-HMAC-SHA256 Credential=test/20150830//sqs/aws4_request"), "test", ""},
		{"no key", withHeader("AWS4-HMAC-SHA256 Credential=/20150830/us-west-2/sqs/aws4_request"), "", ""},
		{"control characters", withHeader("AWS4-HMAC-SHA256 Credential=a\x00b/20150830/us-west-2/sqs/aws4_request"), "", ""},
		{"presigned", withQuery("a=%&b=" + strings.Repeat("x", 100) + "&X-Amz-Credential=test%2f20150830/us-west-2/sqs/aws4_request&c"), "test", "us-west-2"},
		{"presigned with garbage", withQuery("X-Amz-Credential=%zz"), "", ""},
	} {
		if key, region := claimed(c.r); key != c.key || region != c.region {
			t.Errorf("%s: %q in %q, want %q in %q", c.name, key, region, c.key, c.region)
		}
	}
}

func TestClaimedDoesNotAllocate(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"header":       withHeader(exampleHeader),
		"other header": withHeader("Bearer abc"),
		"other query":  withQuery("Action=SendMessage&MessageBody=a%20b+c&Version=2012-11-05"),
		"nothing":      withQuery(""),
	} {
		if n := testing.AllocsPerRun(10, func() { claimed(r) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// formatted returns a request with the signature s.
func formatted(s *signature) *http.Request {
	credential := strings.Join([]string{s.accessKey, s.date, s.region, s.service, "aws4_request"}, "/")
	headers := strings.Join(s.headers, ";")
	if s.presigned {
		return withQuery(url.Values{
			"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
			"X-Amz-Credential":    {credential},
			"X-Amz-Date":          {s.time.Format("20060102T150405Z")},
			"X-Amz-Expires":       {strconv.Itoa(int(s.expires / time.Second))},
			"X-Amz-SignedHeaders": {headers},
			"X-Amz-Signature":     {s.mac},
		}.Encode())
	}
	r := withHeader("AWS4-HMAC-SHA256 Credential=" + credential + ", SignedHeaders=" + headers + ", Signature=" + s.mac)
	r.Header.Set("X-Amz-Date", s.time.Format("20060102T150405Z"))
	return r
}

// Whatever is understood says the same when it is written down anew, and it is
// what the request claims to be.
func FuzzSignature(f *testing.F) {
	f.Add(exampleHeader, exampleTime, "Action=ListQueues")
	f.Add("", "", exampleQuery.Encode())
	f.Add("AWS4-HMAC-SHA256 Signature="+exampleMAC+",Credential=a/20150830/b/sqs/aws4_request,SignedHeaders=host", exampleTime, "&&a")
	f.Add(exampleHeader, exampleTime, exampleQuery.Encode())
	f.Add("AWS4-HMAC-SHA256 Credential=Credential=/20150830/b/sqs/aws4_request,,", "20150830T1236Z", "X-Amz-Credential=%2")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := withQuery(query)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if date != "" {
			r.Header.Set("X-Amz-Date", date)
		}
		key, region := claimed(r)
		s, fail := parseSignature(r)
		if fail != nil {
			return
		}
		if s.accessKey != key || s.region != region {
			t.Errorf("%q in %q, but claimed %q in %q", s.accessKey, s.region, key, region)
		}
		again := formatted(s)
		if got, fail := parseSignature(again); fail != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("%+v; formatted and read again %+v, %v", s, got, fail)
		}
		if s.presigned {
			theirs, _ := url.ParseQuery(query)
			for name, ours := range again.URL.Query() {
				if !slices.Equal(theirs[name], ours) {
					t.Errorf("%s: %q, formatted %q", name, theirs[name], ours)
				}
			}
			return
		}
		if got, want := parts(again.Header.Get("Authorization")), parts(authorization); !slices.Equal(got, want) {
			t.Errorf("%q, formatted %q", want, got)
		}
		if got := again.Header.Get("X-Amz-Date"); got != date {
			t.Errorf("%q, formatted %q", date, got)
		}
	})
}

// parts returns the parts of an Authorization header, sorted.
func parts(authorization string) []string {
	_, rest, _ := strings.Cut(authorization, " ")
	each := strings.Split(strings.ReplaceAll(rest, " ", ""), ",")
	slices.Sort(each)
	return each
}
