// Package filestore keeps queues durably in the files of one directory. It is
// part of the program that uses it: there is no server, and one process at a
// time has a directory open.
//
//	store, err := filestore.Open(ctx, "/var/lib/orders", filestore.Options{})
//
// opens a store, which any number of queues can then be opened over; [Store] is
// a [queue.Store]. When a call that changes something returns, the change is on
// the disk, unless [Options] say that the machine may lose the last second: a
// crash of the process or of the machine at any moment loses nothing of it.
//
// All queues of a store share one log, and those who wait at the same time share
// one sync. A store holds a few dozen files open, whatever its size, and some
// dozen bytes of memory for a page of 256 records.
//
// # Errors
//
// A directory that is open already is [queue.ErrStoreLocked]. On a full disk
// inserts are [queue.ErrStoreFull], while everything else works, since room to
// remove is kept; when there is room again, inserts work as well. After a failed
// write or sync the store is [queue.ErrStoreFailed] until it is opened again: what
// was not yet durable is [queue.ErrUncertain]. Damaged files are
// [queue.ErrStoreCorrupt], and a [DamageError] that says where. What a crash
// leaves of the last write is not damage: nobody was told that it is durable.
//
// [Inspect] and [Verify] tell what a directory has, and [Salvage] saves what can
// be read of a damaged one.
//
// # What the disk must do
//
// What was synced survives, and a write changes no other sectors than its own.
// Sectors of one write may survive in any order. That a file is renamed is
// durable once its directory is synced.
//
// # Files
//
//	LOCK                    locked while the store is open
//	<epoch, 16 digits>.seg  a segment of the log, in hexadecimal
//	free-<number>.seg       an allocated file for a segment to come; its content
//	                        means nothing
//
// A segment is allocated and filled with zeros once, before it is used, so that
// syncing it need not change the file system's own records; when nothing in it is
// needed any more it is used again under another epoch. Epochs rise by one. The
// log goes on in the next segment only after the one before is synced, and the
// new one's name and header are too.
//
// A segment begins with a header of 64 bytes, drawn in segment.go, and then
// has frames, drawn in frame.go:
//
//	+--------+---------+---------+-- - - --+---------------------------+
//	| header | frame   | frame   |   ...   | zeros, or what was before |
//	+--------+---------+---------+-- - - --+---------------------------+
//	0        64
//
//	+--------+-----+--------+------+---+-----+---------+-----+
//	| length | CRC | synced | kind | 0 | CRC | payload | 0.. |
//	+--------+-----+--------+------+---+-----+---------+-----+
//	0        4     8        12     13  16    20
//
// Both checksums are CRC-32C, the header's under a seed of the store's ID and the
// segment's epoch, and with the frame's offset: bytes of another time or place
// are no frame. In payloads numbers are varints as in encoding/binary, those that
// may be negative with the sign in the lowest bit, and texts come after their
// length. The kinds:
//
//	1 batch       a queue.Batch: batch.go
//	2 page        where the records of a page are: block.go
//	3 settle      accounts that are put right: block.go
//	4 dedup       a block of deduplication entries: dedup.go
//	5 copy        records that the cleaner moved: copies.go
//	6 checkpoint  a part of a checkpoint: checkpoint.go
//	7 complete    the end of a checkpoint: where it began (a place), and how many
//	              parts it has
//	8 clean       the store was closed here; no payload
//
// A place is a frame's epoch, shifted left by 32, plus its offset divided by 8.
//
// # Recovery
//
// The state of a store is what the valid frames of its log say. Opening reads the
// latest complete checkpoint, which ends in the newest segment or is named by its
// header, and replays what follows. At the first frame of the newest segment that
// is not valid the log ends, unless a later frame knows that the segment was
// durable beyond: then that frame was valid once, and is damaged. Anywhere else
// what is not valid is damage. After a crash nothing more is written to the
// segment where the log ended; the header of the next says where that was.
//
// # Space
//
// A checkpoint is made whenever the log has grown by as much as a segment, and by
// eight times the last one. A segment is used again once a durable checkpoint says
// that nothing in it is needed. While the files are larger than one and a half
// times the messages, and two segments, those segments are emptied that have the
// least, by copying that to the end of the log. Callers that led a sync do this
// work when those who shared it have been woken.
package filestore
