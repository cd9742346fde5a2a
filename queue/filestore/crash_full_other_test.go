//go:build !linux

package filestore_test

import (
	"context"
	"fmt"
)

func otherChild(_ context.Context, role, _ string) error { return fmt.Errorf("no role %q", role) }
