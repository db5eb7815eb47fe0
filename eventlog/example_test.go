package eventlog_test

import (
	"context"
	"fmt"
	"os"

	"github.com/esper-plane/esper/eventlog"
)

func Example() {
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	l, err := eventlog.Create(dir, eventlog.Origin{Name: "plane-7"}, 1000, eventlog.Options{})
	if err != nil {
		panic(err)
	}
	err = l.Append(context.Background(), l.Next(), []eventlog.Entry{
		{Seq: 2, At: 1500, Kind: eventlog.KindTransition, Payload: []byte("a step was observed")},
		{Seq: 3, At: 1500, Kind: eventlog.KindTransition, Payload: []byte("a command was verified")},
	})
	if err != nil {
		panic(err)
	}
	for e, err := range l.All(1) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d %d %v %s\n", e.Seq, e.At, e.Kind, e.Payload)
	}
	fmt.Println("closed:", l.Close())
	// Output:
	// 1 1000 origin {"name":"plane-7"}
	// 2 1500 transition a step was observed
	// 3 1500 transition a command was verified
	// closed: <nil>
}
