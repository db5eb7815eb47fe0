package protocol

// skip takes a value of JSON, whatever it is.
func (s *jsonSource) skip(depth int) (err *Error) {
	if depth > maxDepth {
		return malformed("is nested too deep")
	}
	switch s.peek() {
	case '{':
		return skipped(s.object, func(left *int) (bool, *Error) {
			_, ok, err := s.member(left)
			return ok, err
		}, s, depth)
	case '[':
		return skipped(s.list, s.entry, s, depth)
	case '"':
		_, err = s.text()
	case 't', 'f':
		_, err = s.flag()
	case 'n':
		if !s.word("null") {
			err = s.found("a value")
		}
	default:
		_, err = s.literal("a value")
	}
	return err
}

// skip takes a value of msgpack, whatever it is. Nothing is an extension.
func (s *packSource) skip(depth int) (err *Error) {
	if depth > maxDepth {
		return malformed("is nested too deep")
	}
	if s.off >= len(s.b) {
		return malformed("ends within a value")
	}
	switch c := s.b[s.off]; what(c) {
	case "a map":
		return skipped(s.object, func(left *int) (bool, *Error) {
			_, ok, err := s.member(left)
			return ok, err
		}, s, depth)
	case "a list":
		return skipped(s.list, s.entry, s, depth)
	case "a text":
		_, err = s.text()
	case "bytes":
		_, err = s.bytes()
	case "a boolean":
		_, err = s.flag()
	case "a whole number":
		s.off++
		_, _, err = s.integer(c, "a value")
	case "a float":
		_, err = s.float()
	default:
		s.off++
		if c != packNil {
			err = wrong(c, "a value")
		}
	}
	return err
}

// skipped takes an object or a list with what is in it.
func skipped(open func() (int, *Error), more func(left *int) (bool, *Error), s source, depth int) *Error {
	left, err := open()
	for ok := true; err == nil; err = s.skip(depth + 1) {
		if ok, err = more(&left); err != nil || !ok {
			return err
		}
	}
	return err
}
