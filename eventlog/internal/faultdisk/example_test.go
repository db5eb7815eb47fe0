package faultdisk_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

// A file is written and synced, but not the name of it.
func ExampleDisk() {
	temp, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(temp)
	root := filepath.Join(temp, "root")
	if err := os.Mkdir(root, 0o750); err != nil {
		panic(err)
	}

	d := faultdisk.New(root)
	f, err := d.OpenFile(filepath.Join(root, "f"), os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	f.Write([]byte("content"))
	f.Sync()
	for _, op := range d.Ops() {
		fmt.Println(op)
	}
	for _, mode := range []faultdisk.Mode{faultdisk.Killed, faultdisk.Strict} {
		image := filepath.Join(temp, mode.String())
		if err := d.Image(image, mode, 0); err != nil {
			panic(err)
		}
		content, err := os.ReadFile(filepath.Join(image, "f"))
		fmt.Printf("%v: %q, lost: %v\n", mode, content, os.IsNotExist(err))
	}
	// Output:
	// 1: create f
	// 2: write f (7 bytes)
	// 3: sync f
	// Killed: "content", lost: false
	// Strict: "", lost: true
}
