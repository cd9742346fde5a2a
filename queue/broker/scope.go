package broker

import (
	"cmp"
	"strings"
)

// A Scope is a place where queue names are unique: an account in a region of a
// partition of AWS. Its empty fields mean the partition "aws", the account
// "000000000000" and the region "us-east-1".
type Scope struct {
	Partition string // "aws", "aws-cn", "aws-us-gov", ...
	Account   string // 12 digits
	Region    string
}

func (s Scope) withDefaults() Scope {
	return s.or(Scope{"aws", "000000000000", "us-east-1"})
}

// or fills the empty fields of s.
func (s Scope) or(other Scope) Scope {
	return Scope{
		Partition: cmp.Or(s.Partition, other.Partition),
		Account:   cmp.Or(s.Account, other.Account),
		Region:    cmp.Or(s.Region, other.Region),
	}
}

// ARN returns the Amazon Resource Name of the queue of that name, whether it
// exists or not.
func (s Scope) ARN(name string) string {
	s = s.withDefaults()
	return strings.Join([]string{"arn", s.Partition, "sqs", s.Region, s.Account, name}, ":")
}

// URL returns the URL of the queue of that name, whether it exists or not.
// base is what comes before the account: the scheme and the host of whoever
// serves the queue, such as "http://localhost:9324". If it is empty, Amazon's
// own endpoint of the region stands there.
func (s Scope) URL(base, name string) string {
	s = s.withDefaults()
	if base == "" {
		base = "https://sqs." + s.Region + ".amazonaws.com"
		if s.Partition == "aws-cn" {
			base += ".cn"
		}
	}
	return strings.TrimRight(base, "/") + "/" + s.Account + "/" + name
}

// check refuses a scope that ARNs and URLs could not hold.
func (s Scope) check() error {
	s = s.withDefaults()
	switch {
	case !isAccount(s.Account):
		return invalid("Account", s.Account, "an account is a number of 12 digits")
	case strings.Trim(s.Region, nameCharacters) != "":
		return invalid("Region", s.Region, "a region has letters, digits, hyphens and underscores")
	case strings.Trim(s.Partition, nameCharacters) != "":
		return invalid("Partition", s.Partition, "a partition has letters, digits, hyphens and underscores")
	}
	return nil
}

func isAccount(text string) bool { return len(text) == 12 && strings.Trim(text, "0123456789") == "" }

// A key is what a queue is found by. The partition is no part of it: accounts and
// regions belong to one.
type key struct{ account, region, name string }

func (s Scope) key(name string) key { return key{s.Account, s.Region, name} }

// parseARN takes the ARN of a queue apart.
func parseARN(arn string) (s Scope, name string, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" {
		return Scope{}, "", false
	}
	s = Scope{Partition: parts[1], Region: parts[3], Account: parts[4]}
	return s, parts[5], s.Partition != "" && s.Region != "" && s.Account != "" && parts[5] != ""
}
