package engine

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
)

// checkText holds text to the characters SQS takes (API reference, SendMessage:
// U+0009, U+000A, U+000D, U+0020 to U+D7FF, U+E000 to U+FFFD, U+10000 to
// U+10FFFF) and tells what is wrong with it. Thirty-two bytes of plain ASCII cost
// one step.
func checkText(s string) (wrong string) {
	rest := s
	for len(rest) >= 32 && isPlain(word(rest[:8])|word(rest[8:16])|word(rest[16:24])|word(rest[24:32])) {
		rest = rest[32:]
	}
	i := len(s) - len(rest)
	for i < len(s) {
		if i+8 <= len(s) && isPlain(word(s[i:i+8])) {
			i += 8
			continue
		}
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		r, width := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && width <= 1 {
			return fmt.Sprintf("byte %d is not UTF-8", i)
		}
		if r < ' ' || r == 0xfffe || r == 0xffff {
			return fmt.Sprintf("character %U at byte %d is not allowed", r, i)
		}
		i += width
	}
	return ""
}

// word marks what is not plain ASCII, U+0020 to U+007F, in 8 bytes: a byte below
// 0x20 borrows into its top bit when 0x20 is taken away; one above 0x7f has it
// set. The other bits mean nothing.
func word(s string) uint64 {
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56 // one load
	return x | (x - 0x2020202020202020)
}

// isPlain reports whether none of the words that were or-ed together has a mark.
func isPlain(words uint64) bool { return words&0x8080808080808080 == 0 }

// checkAttributes holds attributes to the limits of the SQS developer guide,
// "Amazon SQS message metadata".
func checkAttributes(a queue.Attributes) error {
	n := 0
	for name, v := range a.All() {
		n++
		if len(name) > queue.MaxAttributeNameLength {
			return tooLong(len(name), queue.MaxAttributeNameLength, "bytes of an attribute's name")
		}
		if len(v.Type) > queue.MaxAttributeTypeLength {
			return tooLong(len(v.Type), queue.MaxAttributeTypeLength, "bytes of an attribute's type")
		}
		if wrong := wrongAttribute(name, v); wrong != "" {
			return &queue.LimitError{Parameter: "MessageAttributes", Text: name, Reason: wrong, Err: queue.ErrInvalidParameter}
		}
	}
	if n > queue.MaxAttributes {
		return &queue.LimitError{Parameter: "MessageAttributes", Got: n, Min: 0, Max: queue.MaxAttributes, Err: queue.ErrInvalidParameter}
	}
	return nil
}

func tooLong(got, most int, what string) error {
	return &queue.LimitError{Parameter: "MessageAttributes", Got: got, Min: 1, Max: most, Reason: what, Err: queue.ErrInvalidParameter}
}

// wrongAttribute tells what is wrong with an attribute.
func wrongAttribute(name string, v queue.Value) string {
	if wrong := wrongName(name); wrong != "" {
		return wrong
	}
	kind, _, _ := strings.Cut(v.Type, ".")
	switch {
	case kind != "String" && kind != "Number" && kind != "Binary":
		return fmt.Sprintf("its type %q is not String, Number or Binary", v.Type)
	case v.Data == "":
		return "its value is empty"
	case kind == "Number" && !isNumber(v.Data):
		return fmt.Sprintf("its value %q is not a number of at most 38 digits", v.Data)
	case kind == "String":
		if wrong := checkText(v.Data); wrong != "" {
			return "its value is not allowed: " + wrong
		}
	}
	return ""
}

func wrongName(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return "its name is empty"
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return "names beginning with AWS. or Amazon. are reserved"
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return "a name has no period at its ends and no two in a row"
	}
	for _, r := range name {
		// SQS documents ASCII, and was recorded to take accented letters.
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.", r) {
			return fmt.Sprintf("its name has the character %q", r)
		}
	}
	return ""
}

// isNumber reports whether s is a decimal number of at most 38 significant
// digits and a magnitude from 10^-128 to 10^+126.
func isNumber(s string) bool {
	mantissa := strings.TrimLeft(s, "+-")
	if len(s)-len(mantissa) > 1 {
		return false
	}
	exponent := 0
	if at := strings.IndexAny(mantissa, "eE"); at >= 0 {
		var err error
		if exponent, err = strconv.Atoi(mantissa[at+1:]); err != nil || exponent < -1000 || exponent > 1000 {
			return false
		}
		mantissa = mantissa[:at]
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" || point && whole == "" && fraction == "" {
		return false
	}
	significant := strings.TrimLeft(digits, "0")
	if significant == "" {
		return true // zero
	}
	// The first significant digit stands for 10^magnitude.
	magnitude := len(whole) - 1 - (len(digits) - len(significant)) + exponent
	return len(strings.TrimRight(significant, "0")) <= 38 && magnitude >= -128 && magnitude <= 126
}
