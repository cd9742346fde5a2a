package sqlitestore

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// A reserve is a file of bytes beside the database that stand for room on the
// disk: giving them up makes room for what must not fail. Its size is all or
// nothing.
type reserve struct {
	path string
	size int64 // zero: there is none

	mu sync.Mutex // guards is; held over the file's changes, and under it no other lock is taken
	is bool       // the file has its size
}

func newReserve(path string, size int64) *reserve {
	switch {
	case size == 0:
		size = DefaultReserve
	case size < 0:
		size = 0
	}
	return &reserve{path: path, size: size}
}

// held reports whether there is room to give up.
func (r *reserve) held() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.is
}

// fill gives the file its size, or leaves it empty and returns why. What it
// writes can't be compressed by the file system.
func (r *reserve) fill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 || r.is {
		return nil
	}
	if info, err := os.Stat(r.path); err == nil && info.Size() == r.size {
		r.is = true
		return nil
	}
	err := r.write()
	if err != nil {
		return errors.Join(err, r.empty())
	}
	r.is = true
	return nil
}

func (r *reserve) write() (err error) {
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	noise := rand.NewChaCha8([32]byte{})
	block := make([]byte, 64<<10)
	for left := r.size; left > 0; left -= int64(len(block)) {
		block = block[:min(int64(len(block)), left)]
		_, _ = noise.Read(block) // never fails
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
	return file.Sync() // some file systems find out only now that there is no room
}

// giveUp frees the room.
func (r *reserve) giveUp() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.is = false
	return r.empty()
}

func (r *reserve) empty() error {
	if err := os.Truncate(r.path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// regainEvery is how often, at most, somebody tries to get the reserve back.
const regainEvery = time.Second

// hasRoom reports whether a batch that inserts about so many bytes may be
// appended. While the disk is full it may if there is room inside the database,
// whose file doesn't shrink when messages are deleted. If not, it is here that
// somebody is sent to see whether the disk has room again, because only those
// who insert want to know. The caller must hold s.mu.
func (s *Store) hasRoom(bytes int64) bool {
	if s.limit > 0 && s.used+s.bytes+bytes > s.limit {
		return false
	}
	if s.full && !s.roomInside(bytes) {
		s.regain()
		return false
	}
	return true
}

// roomInside reports whether so many bytes fit into the database's blank pages,
// leaving as many as the reserve has: then they take its place. The caller must
// hold s.mu.
func (s *Store) roomInside(bytes int64) bool {
	return s.blank-s.bytes-bytes > s.reserve.size
}

// measure finds out how large the database is, if it matters. The caller leads.
func (s *Store) measure() error {
	s.mu.Lock()
	matters := s.limit > 0 || s.full
	s.mu.Unlock()
	if !matters {
		return nil
	}
	var pages, blank, size int64
	err := s.writer.conn.QueryRowContext(context.Background(), `SELECT page_count, freelist_count, page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&pages, &blank, &size)
	if err != nil {
		return sorted(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used, s.blank = (pages-blank)*size, blank*size
	return nil
}

// giveUp frees the reserve and refuses new messages from now on.
func (s *Store) giveUp() error {
	s.mu.Lock()
	s.full = true
	s.regained = time.Now()
	s.mu.Unlock()
	return s.reserve.giveUp()
}

// regain starts a goroutine that tries to get the reserve back, if none did
// lately. It ends by itself; Close waits for it. The caller must hold s.mu.
func (s *Store) regain() {
	now := time.Now()
	if now.Sub(s.regained) < regainEvery || s.closed {
		return
	}
	s.regained = now
	s.trying.Add(1)
	go func() {
		defer s.trying.Done()
		if s.reserve.fill() != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.full = false
	}()
}
