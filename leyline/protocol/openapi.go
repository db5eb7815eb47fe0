package protocol

import (
	"encoding/json"
	"reflect"
	"sync"

	"github.com/esper-plane/esper/leyline"
)

// route is one route of the trainer's side of a plane.
type route struct {
	method, path, id, summary string
	body, answer              reflect.Type
	query                     []schema
	empty                     string // when it is answered with 204
}

func routes() []route {
	answer := reflect.TypeFor[leyline.Answer]()
	report := func(path, id, summary string, body reflect.Type) route {
		return route{method: "post", path: "/v1/runs/{run}/" + path, id: id, summary: summary, body: body, answer: answer}
	}
	return []route{
		{method: "post", path: "/v1/runs", id: "open", summary: "Open or resume a run.", body: reflect.TypeFor[OpenRequest](), answer: reflect.TypeFor[OpenAnswer]()},
		report("steps", "step", "Report a step before any parameter is updated, or several steps. Several are answered by Answers, one by an Answer.", reflect.TypeFor[Steps]()),
		report("epochs", "epoch", "Report a held-out evaluation.", reflect.TypeFor[Epoch]()),
		report("snapshots", "snapshot", "Report a snapshot's file; the plane reads and hashes it.", reflect.TypeFor[Snapshot]()),
		report("probes", "probe", "Report the measured contribution of a seed.", reflect.TypeFor[Probe]()),
		report("acks", "ack", "Report what became of a command.", reflect.TypeFor[Ack]()),
		report("rollbacks", "rollback", "Report the commit of a rollback.", reflect.TypeFor[Rollback]()),
		report("fallbacks", "fallback", "Report that compiled code was given up for eager execution.", reflect.TypeFor[Fallback]()),
		report("profiles", "profile", "Report the trace of a profile window.", reflect.TypeFor[Profile]()),
		report("close", "close", "End a run.", reflect.TypeFor[Close]()),
		{
			method: "get", path: "/v1/runs/{run}/directives", id: "directives", summary: "Wait for a directive behind a cursor.", answer: answer,
			empty: "There was none in time.",
			query: []schema{{"name": "after", "in": "query", "schema": ref("uint64"), "description": "The cursor of the latest answer."}},
		},
		{method: "get", path: "/v1/runs/{run}", id: "run", summary: "What the plane holds of a run.", answer: reflect.TypeFor[RunView]()},
		{method: "get", path: "/v1/protocol", id: "protocol", summary: "Which versions of the protocol the plane speaks.", answer: reflect.TypeFor[Versions]()},
	}
}

// OpenAPI returns the OpenAPI 3.1 document of the trainer's routes, made of the plans
// by which bodies are read and written.
var OpenAPI = sync.OnceValue(func() []byte {
	b, err := json.MarshalIndent(openAPI(), "", "  ")
	if err != nil {
		panic(err) // Invariant: maps, texts and numbers have a JSON form
	}
	return append(b, '\n')
})

func openAPI() schema {
	s := &schemas{byName: map[string]schema{}, types: map[string]reflect.Type{}}
	s.common("uint64")
	paths := map[string]schema{}
	for _, r := range routes() {
		if paths[r.path] == nil {
			paths[r.path] = schema{}
		}
		paths[r.path][r.method] = s.operation(r)
	}
	s.of(reflect.TypeFor[Hello]())
	return schema{
		"openapi": "3.1.0", "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"info": schema{
			"title": "esper trainer protocol", "version": "1", "license": schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "What a trainer and a plane say to each other. leyline/PROTOCOL.md says what the members mean, when a report is due and what answers ask for. Bodies are JSON or msgpack with the same members. Requests may leave out what is zero.",
		},
		"servers":    []schema{{"url": "http://localhost", "description": "The unix socket of the plane, or an address that it was given"}},
		"paths":      paths,
		"components": schema{"schemas": s.byName, "securitySchemes": schema{"token": schema{"type": "http", "scheme": "bearer"}}},
		"security":   []schema{{}, {"token": []string{}}},
	}
}

// of makes the schema of a type, and panics on one that has no form: bodies are tested.
func (s *schemas) of(t reflect.Type) schema {
	f, err := formOf(t)
	if err != nil {
		panic(err)
	}
	return f.schema(s)
}

func (s *schemas) operation(r route) schema {
	answer := s.of(r.answer)
	if r.id == "step" {
		answer = schema{"anyOf": []schema{answer, s.of(reflect.TypeFor[Answers]())}}
	}
	said := schema{
		"200":     schema{"description": "Durable.", "content": media(answer)},
		"default": schema{"description": "A problem document (RFC 9457).", "content": schema{"application/problem+json": schema{"schema": s.of(reflect.TypeFor[Problem]())}}},
	}
	if r.empty != "" {
		said["204"] = schema{"description": r.empty}
	}
	op := schema{"operationId": r.id, "summary": r.summary, "responses": said}
	params := r.query
	if r.path != "/v1/runs" && r.path != "/v1/protocol" {
		params = append(params, schema{"name": "run", "in": "path", "required": true, "schema": schema{"type": "string", "pattern": "^[a-zA-Z0-9._:-]{1,128}$"}})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if r.body != nil {
		op["requestBody"] = schema{"required": true, "content": media(s.of(r.body))}
	}
	return op
}

func media(x schema) schema {
	return schema{MediaJSON: schema{"schema": x}, MediaMsgpack: schema{"schema": x}}
}
