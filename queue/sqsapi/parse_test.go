package sqsapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

func TestParseJSON(t *testing.T) {
	for text, want := range map[string]any{
		`{}`:                              map[string]any{},
		` [ ] `:                           []any{},
		`[[],[{}],1,-2.5e3,true,false]`:   []any{[]any{}, []any{map[string]any{}}, number("1"), number("-2.5e3"), true, false},
		`null`:                            nil,
		"{\"a\" :\t\"b\",\n\"a\":\"c\"}":  map[string]any{"a": "c"},
		`"plain"`:                         "plain",
		`"\"\\\/\b\f\n\r\t"`:              "\"\\/\b\f\n\r\t",
		`"a\u00e9b\u20ACc"`:               "aéb€c",
		`"\ud83d\ude00!"`:                 "😀!",
		`"\uD83D\uDE00"`:                  "😀",
		`"\u0000"`:                        "\x00",
		`"\ud800"`:                        "\xed\xa0\x80",
		`"\udfff"`:                        "\xed\xbf\xbf",
		`"\ud800\ud800"`:                  "\xed\xa0\x80\xed\xa0\x80",
		`"\ud800\u0041"`:                  "\xed\xa0\x80A",
		`"\ud800\n"`:                      "\xed\xa0\x80\n",
		`"\ude00\ud83d"`:                  "\xed\xb8\x80\xed\xa0\xbd",
		"\"\xff\"":                        "\xff",
		"\"\\n\xff\"":                     "\n\xff",
		`{"\ud800":1}`:                    map[string]any{"\xed\xa0\x80": number("1")},
		`{"a":{"b":["c",null]},"d":null}`: map[string]any{"a": map[string]any{"b": []any{"c", nil}}, "d": nil},
	} {
		got, ok := parseJSON([]byte(text))
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("parseJSON(%s) = %#v, %t; want %#v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "{", `{"a"}`, "[1,]", "01", `"\x"`, `"\u12"`, "\"\n\"", "{}{}", "nil"} {
		if got, ok := parseJSON([]byte(text)); ok {
			t.Errorf("parseJSON(%s) = %#v; want a refusal", text, got)
		}
	}
}

// Where all text is Unicode the parser agrees with encoding/json.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":["\u00e9\ud83d\ude00\\",-1.5e+3,true,null,{}]}`, `[ [ ] , { "" : "\/" } ]`, `"\ud800"`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := parseJSON(data)
		if valid := json.Valid(data); ok != valid {
			t.Fatalf("parseJSON(%q): %t; encoding/json: %t", data, ok, valid)
		}
		if !ok || !utf8.Valid(data) || hasInvalidText(got) {
			return
		}
		var want any
		reader := json.NewDecoder(bytes.NewReader(data))
		reader.UseNumber()
		if err := reader.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := plainJSON(got); !reflect.DeepEqual(got, want) {
			t.Errorf("parseJSON(%q) = %#v; encoding/json: %#v", data, got, want)
		}
	})
}

func hasInvalidText(value any) bool {
	switch v := value.(type) {
	case string:
		return !utf8.ValidString(v)
	case []any:
		for _, e := range v {
			if hasInvalidText(e) {
				return true
			}
		}
	case map[string]any:
		for name, e := range v {
			if !utf8.ValidString(name) || hasInvalidText(e) {
				return true
			}
		}
	}
	return false
}

// plainJSON gives numbers the type they have in encoding/json.
func plainJSON(value any) any {
	switch v := value.(type) {
	case number:
		return json.Number(v)
	case []any:
		for i := range v {
			v[i] = plainJSON(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainJSON(v[name])
		}
	}
	return value
}
