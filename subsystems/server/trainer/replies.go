package trainer

import (
	"errors"
	"net/http"

	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// ProblemMsgpack is the media type of a problem document as msgpack.
const ProblemMsgpack = "application/problem+msgpack"

// problemOf says what an error is in the terms of the protocol.
func problemOf(err error) protocol.Problem {
	var doc *protocol.Error
	var p server.Problem
	switch {
	case errors.As(err, &doc):
		p = server.NewProblem(http.StatusBadRequest, doc.Kind, doc.Error(), "send one document with the members of the route and no others; GET /v1/openapi.json lists them")
		p.Field = doc.Field
	default:
		p = server.ProblemOf(err)
	}
	return protocol.Problem{Type: p.Type, Title: p.Title, Status: uint32(p.Status), Detail: p.Detail, Kind: p.Kind, Field: p.Field, Hint: p.Hint}
}

// problem makes the reply that an error is, in the form that was asked for.
func problem(err error, media string) Reply {
	p := problemOf(err)
	as := ProblemMsgpack
	if media != protocol.MediaMsgpack {
		media, as = protocol.MediaJSON, server.ProblemType
	}
	b, bad := protocol.AppendRequest(nil, media, &p)
	if bad != nil { // a text of a stranger that is no UTF-8
		p.Detail = "the detail cannot be written: " + bad.Error()
		p.Field = ""
		b, _ = protocol.AppendRequest(nil, media, &p) // Invariant: what is left are texts of this program
	}
	return Reply{Status: int(p.Status), Media: as, Body: b}
}

// reply makes the reply of an answer.
func reply(v any, media string) Reply {
	b, err := protocol.AppendAnswer(nil, media, v)
	if err != nil {
		return problem(err, media)
	}
	return Reply{Status: http.StatusOK, Media: media, Body: b}
}
