module github.com/restantemq/restante/queue/queuetest/linear

go 1.26

require github.com/restantemq/restante v0.0.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/google/btree v1.1.3 // indirect
)

replace github.com/restantemq/restante => ../../..
