// Package awstest holds the tests of sqsapi with the real AWS SDK for Go. They
// are a module of their own so that the library requires no SDK.
package awstest
