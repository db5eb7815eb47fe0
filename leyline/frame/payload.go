package frame

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Version is the version of the protocol that a hello names.
const Version = 1

// MaxHello is the length of the longest payload of a hello and of its answer, in bytes.
const MaxHello = 8 << 10

// Op says what a request reports.
//
// enum: local because it is one byte of this format; every body names its fields itself.
type Op uint8

// The ops, each with the route that takes the same body.
const (
	OpStep     Op = 1 + iota // POST /v1/runs/{run}/steps
	OpEpoch                  // .../epochs
	OpSnapshot               // .../snapshots
	OpProbe                  // .../probes
	OpAck                    // .../acks
	OpRollback               // .../rollbacks
	OpFallback               // .../fallbacks
	OpProfile                // .../profiles
	OpClose                  // .../close
)

var opNames = [...]string{OpStep: "step", OpEpoch: "epoch", OpSnapshot: "snapshot", OpProbe: "probe", OpAck: "ack", OpRollback: "rollback", OpFallback: "fallback", OpProfile: "profile", OpClose: "close"}

// Known reports whether there is such an op.
func (o Op) Known() bool { return o >= OpStep && o <= OpClose }

// String returns the name of the op, or its number.
func (o Op) String() string {
	if o.Known() {
		return opNames[o]
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// ErrShort says that a payload ends before what every payload of its kind begins with.
var ErrShort = errors.New("the payload of the frame is too short")

// ParseRequest takes the payload of a request apart; the body shares its memory. The op
// need not be known: its name is the reader's to refuse.
func ParseRequest(payload []byte) (Op, []byte, error) {
	if len(payload) < 1 {
		return 0, nil, ErrShort
	}
	return Op(payload[0]), payload[1:], nil
}

// ParseAnswer takes the payload of an answer apart; the body shares its memory.
func ParseAnswer(payload []byte) (status int, body []byte, err error) {
	if len(payload) < 2 {
		return 0, nil, ErrShort
	}
	return int(binary.LittleEndian.Uint16(payload)), payload[2:], nil
}

// Hello is the first frame of a trainer.
type Hello struct {
	Protocol int    `json:"protocol"` // Version
	Run      string `json:"run"`
	Media    string `json:"media"` // of all bodies: application/json or application/msgpack
}

// Encode returns the payload of the hello.
func (h Hello) Encode() []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic(err) // Invariant: a number and two texts have a JSON form
	}
	return b
}

// Welcome is the answer of a plane to a hello that it takes.
type Welcome struct {
	Protocol int    `json:"protocol"`
	Run      string `json:"run"`
}

// Encode returns the payload of the welcome.
func (w Welcome) Encode() []byte {
	b, err := json.Marshal(w)
	if err != nil {
		panic(err) // Invariant: a number and a text have a JSON form
	}
	return b
}
