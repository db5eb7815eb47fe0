// Command esper is an event-sourced control plane for training neural networks.
package main

import (
	"os"

	"github.com/esper-plane/esper/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
