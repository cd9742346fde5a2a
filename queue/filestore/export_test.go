package filestore

import (
	"context"

	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// OpenOn opens the store on a disk of the test's own.
func OpenOn(ctx context.Context, d disk.Disk, o Options) (*Store, error) { return open(ctx, d, o) }
