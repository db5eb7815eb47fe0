package frame

import (
	"encoding/json"
	"fmt"
	"io"
)

// Client is a trainer's side of a lane. Send and Receive may be called by two
// goroutines at the same time, each by one.
type Client struct {
	in  *Reader
	out *Writer
}

// RefusedError is the problem document with which a plane has refused a hello.
type RefusedError struct {
	Status   int
	Document []byte // JSON, as it came
}

// Error says status and document.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the plane refuses the lane (%d): %s", e.Status, e.Document)
}

// Open says hello on a connection and reads the answer: a *RefusedError when the plane
// refuses. A plane that has no place refuses before it has read the hello, so that writing
// it may fail and there is an answer all the same. Deadlines are the caller's, who holds
// the connection; after an error the connection is of no use.
func Open(conn io.ReadWriter, h Hello) (*Client, error) {
	c := &Client{in: NewReader(conn), out: NewWriter(conn)}
	unsaid := c.out.Payload(h.Encode(), nil)
	if unsaid == nil {
		unsaid = c.out.Flush()
	}
	c.in.Limit(MaxHello)
	b, err := c.in.Next()
	switch {
	case err != nil && unsaid != nil:
		return nil, fmt.Errorf("cannot say hello: %w", unsaid)
	case err != nil:
		return nil, fmt.Errorf("cannot read the answer to hello: %w", within(err))
	}
	c.in.Limit(MaxFrame)
	if err := welcomed(b, h); err != nil {
		return nil, err
	}
	if unsaid != nil {
		return nil, fmt.Errorf("cannot say hello: %w", unsaid)
	}
	return c, nil
}

// welcomed reads the answer to a hello.
func welcomed(b []byte, h Hello) error {
	var said struct {
		Welcome
		Status int    `json:"status"`
		Kind   string `json:"kind"`
	}
	switch err := json.Unmarshal(b, &said); {
	case err != nil:
		return fmt.Errorf("the answer to hello is no JSON: %w", err)
	case said.Kind != "":
		return &RefusedError{said.Status, append([]byte(nil), b...)}
	case said.Protocol != h.Protocol || said.Run != h.Run:
		return fmt.Errorf("the plane answers the hello for protocol %d and run %.128q with protocol %d and run %.128q", h.Protocol, h.Run, said.Protocol, said.Run)
	}
	return nil
}

// Send writes a request; the body is not kept.
func (c *Client) Send(op Op, body []byte) error {
	if err := c.out.Request(op, body); err != nil {
		return err
	}
	return c.out.Flush()
}

// Receive reads the next answer, in the order of the requests. The body is valid until
// the next call. io.EOF says that the plane has closed the lane between two answers.
// A status beyond 299 comes with a problem document; one of the kind "stopping" may be
// the last answer to nothing: the plane closes behind it.
func (c *Client) Receive() (status int, body []byte, err error) {
	b, err := c.in.Next()
	if err != nil {
		return 0, nil, err
	}
	return ParseAnswer(b)
}
