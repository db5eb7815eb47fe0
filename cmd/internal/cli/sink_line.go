package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// packetLine is a packet as one JSON line.
func packetLine(p *leyline.Packet) []byte {
	return append(telemetry.AppendJSON(nil, p), '\n')
}

// maxLine bounds a line: a packet holds a few events with texts of at most
// leyline.MaxText bytes for each of at most leyline.MaxSeeds seeds.
const maxLine = 1 << 24

// lastLine returns which packet the last whole line holds, that line, and where it
// ends. A file without any, or one whose last line is not ours, is written from
// the beginning.
func lastLine(f *os.File) (packetID, []byte, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return packetID{}, nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return packetID{}, nil, 0, errors.New("it is not a regular file")
	}
	from := max(info.Size()-maxLine, 0)
	tail := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return packetID{}, nil, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if end == 0 {
		return packetID{}, nil, 0, nil
	}
	begin := bytes.LastIndexByte(tail[:end-1], '\n') + 1
	var line struct {
		Seq    leyline.Seq
		Source leyline.Subsystem
	}
	if json.Unmarshal(tail[begin:end], &line) != nil || line.Seq == 0 || line.Seq > math.MaxInt64 {
		return packetID{}, nil, 0, nil
	}
	return packetID{line.Seq, line.Source}, tail[begin:end], from + int64(end), nil
}
