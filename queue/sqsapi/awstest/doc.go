// Package awstest holds the tests of sqsapi with real clients: the AWS SDK for
// Go, and the SDKs for Python and JavaScript, which run as programs of their
// own. They are a module of their own so that the library requires no SDK.
package awstest
