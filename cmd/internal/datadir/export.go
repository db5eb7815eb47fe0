package datadir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/esper-plane/esper/eventlog/tree"
	"github.com/esper-plane/esper/leyline"
)

// exportTimeout ends a command that does not come back.
const exportTimeout = 30 * time.Second

// exporter hands signed checkpoints to where the configuration says: a
// directory, in which each becomes a file NAME-SIZE.checkpoint that is never
// overwritten, and a command that gets it on standard input. It is nil when
// there is neither.
func exporter(c leyline.LogConfig) func(signed []byte) error {
	if c.CheckpointDir == "" && len(c.CheckpointCommand) == 0 {
		return nil
	}
	return func(signed []byte) error {
		return errors.Join(exportFile(c.CheckpointDir, signed), exportCommand(c.CheckpointCommand, signed))
	}
}

func exportFile(dir string, signed []byte) error {
	if dir == "" {
		return nil
	}
	c, err := tree.ReadCheckpoint(signed)
	if err != nil {
		return err
	}
	// The origin of a log may hold a slash; a file name may not.
	path := filepath.Join(dir, fmt.Sprintf("%s-%020d.checkpoint", strings.ReplaceAll(c.Origin, "/", "_"), c.Size))
	have, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeFile(path, signed)
	case err != nil:
		return err
	case !bytes.Equal(have, signed):
		return fmt.Errorf("%s holds another checkpoint of the same size: the log has forked, or the file was changed", path)
	}
	return nil
}

func exportCommand(words []string, signed []byte) error {
	if len(words) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.WaitDelay = time.Second
	c.Stdin = bytes.NewReader(signed)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("log.checkpoint_command %s: %w: %.200s", words[0], err, bytes.TrimSpace(out))
	}
	return nil
}
