package filestore

import (
	"context"

	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// OpenTight opens the store so that it keeps very little in memory, and looks
// after its files all the time.
func OpenTight(ctx context.Context, d disk.Disk, o Options) (*Store, error) {
	s, err := open(ctx, d, o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reserve := s.limits.reserve
	s.limits = limits{entries: 100, stale: 12, dedups: 60, queueDedups: 25, pages: 5, clean: 16 << 10, reserve: reserve}
	s.spillAt = s.limits.queueDedups
	return s, nil
}
