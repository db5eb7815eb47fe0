package server

// Connections returns how many connections are open on all listeners together,
// whether their peers ask for something or not.
func (s *Server) Connections() int {
	s.mu.Lock()
	rooms := s.open
	s.mu.Unlock()
	n := 0
	for _, r := range rooms {
		n += r.count()
	}
	return n
}
