package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what a reader must know to judge the numbers.
type host struct {
	Go         string            `json:"go"`
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	Kernel     string            `json:"kernel"`
	FileSystem string            `json:"file_system"`
	Load       string            `json:"load_average"` // of the minute before; what others did
	Modules    map[string]string `json:"modules,omitempty"`
}

// peerModules are the modules whose versions are reported.
var peerModules = []string{
	"github.com/tidwall/wal",
	"go.etcd.io/etcd/server/v3",
	"github.com/hashicorp/raft-wal",
	"github.com/cockroachdb/pebble/v2",
}

// examine describes this machine and the file system of dir. What it cannot find
// out it calls unknown.
func examine(dir string) host {
	return host{
		Go:         runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		CPU:        cpuModel(),
		Cores:      runtime.GOMAXPROCS(0),
		Kernel:     kernel(),
		FileSystem: fileSystem(dir),
		Load:       loadAverage(),
		Modules:    moduleVersions(),
	}
}

const unknown = "unknown"

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return unknown
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return unknown
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

// memoryOnly is the type of a file system on which a sync means nothing.
const memoryOnly = "tmpfs"

func fileSystem(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return unknown
	}
	switch int64(s.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return memoryOnly
	}
	return fmt.Sprintf("type %#x", s.Type)
}

// moduleVersions returns the versions of the peers in this program.
func moduleVersions() map[string]string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	all := map[string]string{}
	for _, m := range info.Deps {
		all[m.Path] = m.Version
	}
	versions := map[string]string{}
	for _, path := range peerModules {
		if v, ok := all[path]; ok {
			versions[path] = v
		}
	}
	return versions
}
