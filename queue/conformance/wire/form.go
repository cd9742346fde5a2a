package wire

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
)

// formOf flattens an action's input as Query does.
func formOf(action string, in object) url.Values {
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
	flatten(form, action, "", in)
	return form
}

// elementNames are the names that Query has for the elements of lists and maps.
var elementNames = map[string]string{
	"AttributeNames": "AttributeName", "MessageSystemAttributeNames": "AttributeName", "MessageAttributeNames": "MessageAttributeName",
	"Attributes": "Attribute", "tags": "Tag", "Tags": "Tag", "TagKeys": "TagKey",
	"MessageAttributes": "MessageAttribute", "MessageSystemAttributes": "MessageSystemAttribute",
	"AWSAccountIds": "AWSAccountId", "Actions": "ActionName",
	"StringListValues": "StringListValue", "BinaryListValues": "BinaryListValue",
}

// flatten puts what is in an input, or in an object of it, under a prefix.
func flatten(form url.Values, action, prefix string, in object) {
	next := map[string]int{} // two lists may be one in Query
	for _, name := range slices.Sorted(maps.Keys(in)) {
		element := elementNames[name]
		if name == "Entries" {
			element = action + "RequestEntry"
		}
		index := func() string {
			next[element]++
			return prefix + element + "." + strconv.Itoa(next[element])
		}
		switch value := in[name].(type) {
		case nil:
		case []string:
			for _, text := range value {
				form.Set(index(), text)
			}
		case []object:
			for _, o := range value {
				flatten(form, action, index()+".", o)
			}
		case map[string]string:
			key := ".Name"
			if element == "Tag" {
				key = ".Key"
			}
			for _, k := range slices.Sorted(maps.Keys(value)) {
				at := index()
				form.Set(at+key, k)
				form.Set(at+".Value", value[k])
			}
		case object:
			for _, k := range slices.Sorted(maps.Keys(value)) {
				at := index()
				form.Set(at+".Name", k)
				flatten(form, action, at+".Value.", value[k].(object))
			}
		default:
			form.Set(prefix+name, fmt.Sprint(value))
		}
	}
}
