// Package sqlitestore keeps queues in an SQLite database, which may be the
// application's own, so that its transactions can send messages.
//
//	st, err := sqlitestore.OpenDB(ctx, db, sqlitestore.Options{})
//	...
//	q, err := standard.Open(ctx, st, queue.Config{Name: "mails"})
//	...
//	outbox, err := st.WithOutbox(ctx, q)
//	...
//	tx, err := db.BeginTx(ctx, nil)
//	// change your own tables, and
//	err = st.SendTx(ctx, tx, outbox, queue.Message{Body: "welcome"})
//	err = tx.Commit()
//	...
//	err = st.Deliver(ctx)
//
// # What is in the database
//
// Tables whose names begin with restante_, with a column for every field of a
// message; schema.go describes them. Read them as you like. What may be written
// there by others: rows of restante_outbox may be deleted. Beside the database
// lie two small files, whose names end in -restante-lock and -restante-reserve.
//
// # Durability
//
// The database is in WAL mode. What is appended is committed in one transaction
// for everybody who waits. A send or a delete waits for synchronous = FULL, and
// so survives the machine. A receive count alone waits for NORMAL: it survives
// the process, and the machine from the next synced commit on, which syncs the
// whole log. What the application commits is as durable as its own connections
// are set to; with synchronous = OFF they put the queues at risk too. SQLite
// relies on the file system's locks and syncs; a network file system keeps
// neither.
//
// # Beside the application
//
// SQLite has one writer at a time. While a transaction of the application holds
// the write lock, sends and deletes wait for it, and after
// Options.BusyTimeout the store has failed. So keep such transactions short, and
// don't call a queue from within one: it would wait for its own caller. Begin
// them with BEGIN IMMEDIATE and give them a busy timeout
// ("?_txlock=immediate&_pragma=busy_timeout(10000)" in the name that sql.Open
// gets). A reader that never ends keeps the log from being reused, and it grows.
//
// # A full disk
//
// When the disk is full, new messages are refused with queue.ErrStoreFull, and
// receiving and deleting go on in the room of the reserve that the store gives
// up; receive counts are not recorded meanwhile. Messages are accepted again as
// soon as so many were deleted that the database has blank pages of its own, or
// within a second after the disk has room for the reserve. The database's file
// doesn't shrink; that takes a VACUUM.
//
// That is no promise. SQLite needs room to delete, and who else writes to the
// disk can take it; a commit larger than the reserve doesn't fit into it; and
// with Options.Reserve negative there is none. Then the store fails, as it does
// after any commit that failed, until it is opened again; what was committed is
// safe.
package sqlitestore
